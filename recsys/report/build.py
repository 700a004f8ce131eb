"""Write a report: `report.html` for people, `report.json` for programs."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np

from recsys.errors import extra
from recsys.report.drawn import drawn
from recsys.report.formats import FILTERS, NOTHING
from recsys.report.missing import missing
from recsys.report.verdict import Verdict, direction, verdict

with extra("report"):
    import jinja2
    from markupsafe import Markup

HTML, JSON = "report.html", "report.json"
TEMPLATES = Path(__file__).parent / "templates"


def build(
    evaluation: Mapping[str, Any],
    run: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]],
    out: Path,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write `report.html` and `report.json` into `out`.

    `evaluation` is what `recsys.evaluation.harness.evaluate` gives, with `funnel` if measured.
    `run` needs `release`; the page shows what it has of `created_at`, `cut` {moment: time},
    `n_purchases`, `rows_read` {table: rows}, `quarantined` [{table, reason, rows}], `leak` (of
    `recsys.evaluation.leak.probe`), `measured_on`, `reproduce` [command] and `lineage`
    {part: version}. An example is one shopper, as `recsys.report.examples` tells it. `more` holds
    what further sections tell, by section; one that is not there says so in a line.
    """
    out.mkdir(parents=True, exist_ok=True)
    write(content_of(evaluation, run, examples, more or {}), out / HTML, out / JSON)


def content_of(
    evaluation: Mapping[str, Any],
    run: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]],
    more: Mapping[str, Any],
) -> dict[str, Any]:
    """Everything a report says, as its JSON has it."""
    content = {
        "verdict": _told(verdict(evaluation, more, run)),
        "evaluation": evaluation,
        "run": run,
        "examples": examples,
        "more": more,
    }
    return content | {"missing": missing(content)}


def write(content: Mapping[str, Any], page: Path, figures: Path) -> None:
    """Write a report's page and its figures."""
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    figures.write_text(text + "\n", encoding="utf-8")
    page.write_text(render(json.loads(text)), encoding="utf-8")


def render(content: Mapping[str, Any]) -> str:
    """Draw the page from the content of a `report.json`."""
    evaluation = content["evaluation"]
    return (
        _environment()
        .get_template(HTML)
        .render(
            **content,
            direction=direction,
            ranking=_best_first(evaluation),
            quality=_quality(content["run"]),
            laws=((content["more"].get("preference") or {}).get("laws") or {}),
            plots={
                name: Markup(svg)  # noqa: S704 - matplotlib escapes the names it draws
                for name, svg in drawn(content).items()
            },
            # ours, not data: the only text that enters the page as it is, besides the plots
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704
        )
    )


def _told(finding: Verdict) -> dict[str, Any]:
    return finding._asdict() | {"checks": [check._asdict() for check in finding.checks]}


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.ChainableUndefined,  # what a part did not tell is a dash, not an error
    )
    environment.filters |= {name: _lenient(show) for name, show in FILTERS.items()}
    return environment


def _lenient(show: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(show)
    def shown(value: Any, *args: Any) -> Any:
        return NOTHING if isinstance(value, jinja2.Undefined) else show(value, *args)

    return shown


def _best_first(evaluation: Mapping[str, Any]) -> list[str]:
    metric = f"ndcg@{evaluation['k']}"
    return sorted(evaluation["methods"], key=lambda name: -evaluation["methods"][name][metric])


def _quality(run: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Per table: rows read, rows refused, and the reasons, most frequent first."""
    refused = sorted(run.get("quarantined", []), key=lambda row: (-row["rows"], row["reason"]))
    tables = dict(run.get("rows_read", {})) | {
        row["table"]: None for row in refused if row["table"] not in run.get("rows_read", {})
    }
    return [
        {
            "table": table,
            "read": read,
            "reasons": [row for row in refused if row["table"] == table],
            "refused": sum(row["rows"] for row in refused if row["table"] == table),
        }
        for table, read in tables.items()
    ]


def _plain(value: Any) -> Any:
    """Take numpy's numbers and moments apart for JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no place in a report")
