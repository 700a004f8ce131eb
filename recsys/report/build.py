"""Write a report: `report.html` for people, `report.json` for programs."""

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from recsys.errors import extra
from recsys.report.formats import FILTERS, number, percent
from recsys.report.plots import dot_plot
from recsys.report.verdict import direction, verdict

with extra("report"):
    import jinja2
    from markupsafe import Markup

# slices that the page has room for, in this order; report.json has all
SHOWN = ("tie_safe", "cold", "short", "long", "head_items", "tail_items", "new_items")
TEMPLATES = Path(__file__).parent / "templates"


def build(
    evaluation: Mapping[str, Any],
    run: Mapping[str, Any],
    examples: Sequence[Mapping[str, Any]],
    out: Path,
) -> None:
    """Write `report.html` and `report.json` into `out`.

    `evaluation` is what `recsys.evaluation.harness.evaluate` gives, with `funnel` if measured.
    `run` needs `release`; the page shows what it has of `created_at`, `cut` {moment: time},
    `n_purchases`, `rows_read` {table: rows}, `quarantined` [{table, reason, rows}], `leak` (of
    `recsys.evaluation.leak.probe`), `reproduce` [command] and `lineage` {part: version}.
    An example is one shopper: `user_id`, `history` [{title, when?}] oldest first, `items`
    [{title, reason, score?, bought?}], `rung` and `why`.
    """
    out.mkdir(parents=True, exist_ok=True)
    finding = verdict(evaluation)
    content = {
        "verdict": finding._asdict(),
        "evaluation": evaluation,
        "run": run,
        "examples": examples,
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False, default=_plain)
    (out / "report.json").write_text(text + "\n", encoding="utf-8")
    page = (
        _environment()
        .get_template("report.html")
        .render(
            evaluation=evaluation,
            run=run,
            examples=examples,
            verdict=finding,
            direction=direction,
            ranking=_best_first(evaluation),
            slices=_shown(evaluation),
            quality=_quality(run),
            plots=_plots(evaluation),
            # ours, not data: the only text that enters the page as it is, besides the plots
            style=Markup((TEMPLATES / "style.css").read_text(encoding="utf-8")),  # noqa: S704
        )
    )
    (out / "report.html").write_text(page, encoding="utf-8")


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= FILTERS
    return environment


def _best_first(evaluation: Mapping[str, Any]) -> list[str]:
    metric = f"ndcg@{evaluation['k']}"
    return sorted(evaluation["methods"], key=lambda name: -evaluation["methods"][name][metric])


def _shown(evaluation: Mapping[str, Any]) -> dict[str, Any]:
    slices = evaluation.get("slices", {})
    return {name: slices[name] for name in SHOWN if name in slices}


def _plots(evaluation: Mapping[str, Any]) -> dict[str, Markup]:
    k, methods = evaluation["k"], evaluation["methods"]
    drawn = [(f"ndcg@{k}", f"NDCG@{k}", number), (f"hr@{k}", f"HR@{k}", percent)]
    return {
        title: Markup(  # noqa: S704 - matplotlib escapes the names it draws
            dot_plot(
                methods,
                metric,
                headline=evaluation["headline"],
                label=f"{title} by method with 95 % intervals; the table has the numbers",
                show=show,
            )
        )
        for metric, title, show in drawn
    }


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
