"""`tailor evaluate ranking`: our lists beside published methods, on any raw files."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys import environment
from recsys.cli.output import as_json, out, table
from recsys.cli.pipeline import raw_files, raw_options
from recsys.cli.progress import Display
from recsys.errors import SettingsError
from recsys.settings import Settings

_STDOUT = Path("-")
_COLUMNS = (
    "method",
    "NDCG@10",
    "95 % interval",
    "HR@10",
    "recall@100",
    "tie-safe NDCG@10",
    "tailor minus it",
    "fit s",
    "score s",
)


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("evaluate", help="measure on raw files, apart from the home")
    command = group.add_subparsers(required=True).add_parser(
        "ranking", help="measure two-stage ranking beside published methods, on raw files"
    )
    raw_options(command, required=True)
    command.add_argument(
        "--protocol",
        required=True,
        choices=("temporal", "leave-one-out"),
        help="what is held out: all purchases after a moment, or each shopper's last one",
    )
    command.add_argument(
        "--mode",
        default="refreshed",
        choices=("refreshed", "train-only"),
        help="of leave-one-out: whether the purchase before the target counts in statistics",
    )
    command.add_argument(
        "--baselines",
        nargs="+",
        default=(),
        metavar="NAME",
        help="published methods to measure; all for all (default: those that are fast)",
    )
    command.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="home to work in and to leave (default: one of its own, removed at the end)",
    )
    command.add_argument(
        "--json", type=Path, metavar="OUT", help="write all figures to this file; - prints them"
    )
    command.set_defaults(run=_ranking)


def _ranking(args: argparse.Namespace, settings: Settings) -> int:
    environment.check()
    _make_room(args.json)

    from recsys.evaluation.ranking import evaluate_ranking

    with Display() as display:
        result = evaluate_ranking(
            raw_files(args),
            settings,
            protocol=args.protocol,
            mode=args.mode,
            baselines=args.baselines,
            keep=args.keep,
            observer=display,
        )
    if args.json == _STDOUT:
        as_json(result)
        return 0
    show(result)
    if args.json is not None:
        args.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        out().print(f"all figures: {out().escape(str(args.json))}", soft_wrap=True)
    return 0


def _make_room(path: Path | None) -> None:
    """See before hours of work that their result can be written."""
    if path in {None, _STDOUT}:
        return
    assert path is not None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.open("a").close()
    except OSError as error:
        raise SettingsError(
            f"can't be written: {error.strerror}", where=f"--json {path}", fix="name another file"
        ) from error


def show(result: Mapping[str, Any]) -> None:
    """Draw the figures that matter, and what the leak probe says."""
    shoppers, items = result["n_users"], result["n_items"]
    how = " ".join(filter(None, (result["protocol"], result["mode"])))
    table(
        f"Next purchase of {shoppers:,} shoppers, {items:,} items ({how})",
        _COLUMNS,
        list(_rows(result)),
        right=_COLUMNS[1:],
    )
    for name, why in result["failed"].items():
        out().print(f"[yellow]left out[/] {name}: {out().escape(why)}", soft_wrap=True)
    found = [row["order"] for row in result["leak_probe"]["orders"] if not row["at_chance"]]
    out().print(
        f"[bold red]leak probe failed[/]: targets are found by {out().escape(', '.join(found))}"
        if found
        else "leak probe passed: what knows nothing finds nothing",
        soft_wrap=True,
    )
    out().print(f"{result['seconds_total']:,.0f} s, {result['peak_mib']:,} MiB at the peak")


def _rows(result: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    against = result["methods"][result["headline"]]["against"]
    for name, method in result["methods"].items():
        safe, ours = method["slices"].get("tie_safe"), against.get(name)
        yield (
            name,
            f"{method['ndcg@10']:.4f}",
            _between(method["ndcg@10_ci"]),
            f"{method['hr@10']:.4f}",
            f"{method['recall@100']:.4f}",
            f"{safe['ndcg@10']:.4f} ({_between(safe['ndcg@10_ci'])})" if safe else "",
            f"{ours['ndcg@10_diff']:+.4f} ({_between(ours['ci'], '+')})" if ours else "",
            _seconds(method["seconds_fit"]),
            _seconds(method["seconds_score"]),
        )


def _between(bounds: Sequence[float], sign: str = "") -> str:
    low, high = bounds
    return f"{low:{sign}.4f} to {high:{sign}.4f}"


def _seconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds:,.1f}"
