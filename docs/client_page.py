"""Write docs/client.md from the code: every call, every answer, every error.

`make docs` runs it; a test fails when the file is not what this would write.
"""

import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args, get_origin

ROOT = Path(__file__).parent.parent
TARGET = ROOT / "docs" / "client.md"

BEGIN = """# The Python client

Made from the code by `make docs`; don't edit by hand.

```python
from recsys.client import Client, NotFoundError

with Client("http://127.0.0.1:8000", key="tailor_…", timeout=0.5) as tailor:
    told = tailor.recommendations("u00001", k=5)
    print(told.release, told.rung, [place.title for place in told.items])
    tailor.purchase("u00001", told.items[0].item_id)
```

`pip install "tailor[client]"`. `AsyncClient` has the same calls, awaited, and `async with`. One
client for a process is enough: connections are kept, and it is for several threads (tasks) at once.

Answers are the service's own pydantic models (`recsys.service.schemas`): one definition for both
ends. What the service adds later is ignored.

## Time-outs and tries

`timeout` is in seconds and of one try. A broken connection, a time-out and 429, 502, 503 and 504
are tried again; waits double from `first_wait`, less a random part, and are never shorter than what
`Retry-After` asks for. A server that asks for more than `longest_wait` is not waited for. Every
call can be sent twice without harm: a purchase carries its `event_id`, made once per call if you
give none.
"""


def client() -> str:
    """The whole page."""
    return "\n".join([BEGIN, *_policy(), "", "## Calls", *_calls(), *_answers(), *_errors(), ""])


def _policy() -> Iterator[str]:
    from recsys.client import Policy

    yield "| `Policy(…)` | default |"
    yield "|---|---|"
    for name, parameter in inspect.signature(Policy).parameters.items():
        yield f"| `{name}` | `{parameter.default}` |"


def _calls() -> Iterator[str]:
    from recsys.client import Client

    for name, call in vars(Client).items():
        if name.startswith("_") or name == "close":
            continue
        signature = inspect.signature(call)
        given = ", ".join(_given(signature))
        yield ""
        yield f"### `{name}({given})` → `{_named(signature.return_annotation)}`"
        yield ""
        yield inspect.cleandoc(call.__doc__ or "")


def _given(signature: inspect.Signature) -> Iterator[str]:
    star = False
    for name, parameter in signature.parameters.items():
        if name == "self":
            continue
        if parameter.kind is inspect.Parameter.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        empty = parameter.default is inspect.Parameter.empty
        yield name if empty else f"{name}={parameter.default!r}"


def _answers() -> Iterator[str]:
    yield ""
    yield "## Answers"
    for model in _models():
        yield ""
        yield f"### `{model.__name__}`"
        yield ""
        yield inspect.cleandoc(model.__doc__ or "")
        yield ""
        yield "| field | type |"
        yield "|---|---|"
        for name, field in model.model_fields.items():
            yield f"| `{name}` | `{_named(field.annotation)}` |".replace(" | None", " or none")


def _models() -> list[Any]:
    """The answers of all calls, and what they are made of, in the order in which they come up."""
    from pydantic import BaseModel

    from recsys.client import Client

    found: list[Any] = []

    def take(kind: Any) -> None:
        for part in get_args(kind):
            take(part)
        if inspect.isclass(kind) and issubclass(kind, BaseModel) and kind not in found:
            found.append(kind)
            for field in kind.model_fields.values():
                take(field.annotation)

    for name, call in vars(Client).items():
        if not name.startswith("_") and name != "close":
            take(inspect.signature(call).return_annotation)
    return found


def _named(kind: Any) -> str:
    """A type as people write it, without its modules."""
    text = kind.__name__ if inspect.isclass(kind) and not get_origin(kind) else str(kind)
    return re.sub(r"\b(?:\w+\.)+(?=\w)", "", text)


def _errors() -> Iterator[str]:
    from recsys.client import errors

    yield ""
    yield "## Errors"
    yield ""
    yield "All are `TailorError`s: `what`, `where` and `fix`, and a message of the three."
    yield ""
    yield "```"
    tree = inspect.cleandoc(errors.__doc__ or "").split("\n\n", 1)[1]
    yield inspect.cleandoc(tree)
    yield "```"


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    TARGET.write_text(client(), encoding="utf-8")
