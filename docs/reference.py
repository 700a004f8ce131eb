"""Write docs/reference.md from the code: every command, setting and extra.

`make docs` runs it; a test fails when the file is not what this would write.
"""

import argparse
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "reference.md"


def reference() -> str:
    """The whole page."""
    return "\n".join(
        [
            "# Reference",
            "",
            "Made from the code by `make docs`; don't edit by hand.",
            "",
            "## Commands",
            "",
            "`--home DIR` before the command (or `TAILOR_HOME`) names the folder of all state.",
            "Exit codes: 0 done, 1 an error (one line on stderr says what, where and what to do),",
            "2 wrong usage, 130 interrupted.",
            *_commands(),
            "## Settings",
            "",
            "Defaults < `tailor.toml` (in the working folder, or where `TAILOR_CONFIG` points)",
            "< environment: `lists.length` is `TAILOR_LISTS__LENGTH`, lists are JSON.",
            "`tailor config show` prints each value and where it came from.",
            "",
            "| setting | default | meaning |",
            "|---|---|---|",
            *_settings(),
            "",
            "## Extras",
            "",
            '`pip install "tailor[NAME]"`; all but `gpu` are in `all`.',
            "",
            "| extra | brings |",
            "|---|---|",
            *_extras(),
            "",
        ]
    )


def _commands() -> Iterator[str]:
    from recsys.cli.app import parser

    for path, command, summary in _walk(parser(), "tailor"):
        yield ""
        yield f"### `{path}`"
        yield ""
        yield f"{summary[:1].upper()}{summary[1:]}."
        if rows := list(_options(command)):
            yield ""
            yield "| option | meaning |"
            yield "|---|---|"
            yield from rows
    yield ""


def _walk(
    parser: argparse.ArgumentParser, path: str
) -> Iterator[tuple[str, argparse.ArgumentParser, str]]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            told = {choice.dest: choice.help or "" for choice in action._choices_actions}
            for name, sub in action.choices.items():
                nested = list(_walk(sub, f"{path} {name}"))
                yield from nested or [(f"{path} {name}", sub, told[name])]


def _options(command: argparse.ArgumentParser) -> Iterator[str]:
    for action in command._actions:
        if isinstance(action, argparse._HelpAction):
            continue
        name = action.option_strings[0] if action.option_strings else str(action.metavar)
        value = f" {action.metavar or action.dest.upper()}" if _takes(action) else ""
        more = "…" if action.nargs == "+" else ""
        choices = f": {', '.join(action.choices)}" if action.choices else ""
        yield f"| `{(name + value).strip()}{more}` | {action.help}{choices} |"


def _takes(action: argparse.Action) -> bool:
    return bool(action.option_strings) and action.nargs != 0


def _settings() -> Iterator[str]:
    from recsys.settings import known

    for key, (meaning, default) in known().items():
        yield f"| `{key}` | `{_plain(default)}` | {meaning} |"


def _plain(default: Any) -> str:
    if isinstance(default, tuple):
        return str(list(default)).replace("'", '"')
    return str(default) if str(default) else '""'


def _extras() -> Iterator[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for name, packages in project["optional-dependencies"].items():
        yield f"| `{name}` | {', '.join(f'`{package}`' for package in packages)} |"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    TARGET.write_text(reference(), encoding="utf-8")
