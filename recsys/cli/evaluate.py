"""`tailor evaluate`: our lists and preferences beside other methods, on any raw files."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from recsys import environment
from recsys.cli import lamp
from recsys.cli.output import hand_out, make_room, out, table
from recsys.cli.pipeline import raw_files, raw_options
from recsys.cli.preference import task_options, with_task_options
from recsys.cli.progress import Display
from recsys.settings import Settings

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

_PREFERENCES = (
    "method",
    "accuracy",
    "95 % interval",
    "guess-credited",
    "abstained",
    "ECE",
    "tailor minus it",
    "s",
)


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("evaluate", help="measure on raw files, apart from the home")
    kinds = group.add_subparsers(required=True)
    _register_preference(kinds)
    lamp.register(kinds)
    command = kinds.add_parser(
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
    output_options(command)
    command.set_defaults(run=_ranking)


def _register_preference(kinds: Any) -> None:
    command = kinds.add_parser(
        "preference", help="measure who tells which of a few products a shopper bought"
    )
    raw_options(command, required=True)
    task_options(command)
    command.add_argument(
        "--methods",
        nargs="+",
        default=(),
        metavar="NAME",
        help="scorers to measure; all for all (default: those that are fast); tailor always is",
    )
    command.add_argument(
        "--personalizer-minutes",
        type=float,
        metavar="M",
        help="a way of personalising that would take longer is left out",
    )
    output_options(command)
    command.set_defaults(run=_preference)


def output_options(command: argparse.ArgumentParser) -> None:
    """Where to work, and where the figures go."""
    command.add_argument(
        "--keep",
        type=Path,
        metavar="DIR",
        help="home to work in and to leave (default: one of its own, removed at the end)",
    )
    command.add_argument(
        "--json", type=Path, metavar="OUT", help="write all figures to this file; - prints them"
    )


def _ranking(args: argparse.Namespace, settings: Settings) -> int:
    environment.check()
    make_room(args.json)

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
    hand_out(result, args.json, show)
    return 0


def _preference(args: argparse.Namespace, settings: Settings) -> int:
    environment.check()
    make_room(args.json)

    from recsys.evaluation.preference.run import evaluate_preference

    with Display() as display:
        result = evaluate_preference(
            raw_files(args),
            with_task_options(settings, args),
            law=args.law,
            keep=args.keep,
            observer=display,
        )
    hand_out(result, args.json, show_preference)
    return 0


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


def show_preference(result: Mapping[str, Any]) -> None:
    """Draw what each scorer reaches, what blind guessing reaches, and what the model adds."""
    table(
        f"Which of {result['options']} products did she buy: {result['n']:,} shoppers "
        f"(distractors {result['told']}, category level {result['category_level']})",
        _PREFERENCES,
        list(_preferences(result)),
        right=_PREFERENCES[1:],
    )
    for name, why in result["failed"].items():
        out().print(f"[yellow]left out[/] {name}: {out().escape(why)}", soft_wrap=True)
    probes = result["probes"]
    given = ", ".join(
        f"{n} {probes['guessers'][n]['accuracy']:.3f}" for n in probes["above_chance"]
    )
    out().print(
        f"blind guessers above chance ({probes['chance']:.3f}): {given or 'none'}", soft_wrap=True
    )
    for name, each in result["ablations"].items():
        low, high = each["headline_minus_it"]["ci"]
        diff = each["headline_minus_it"]["accuracy_diff"]
        out().print(
            f"{name}: {each['accuracy']:.4f}; tailor minus it {diff:+.4f} "
            f"({_between((low, high), '+')})",
            soft_wrap=True,
        )
    out().print(f"{result['seconds_total']:,.0f} s, {result['peak_mib']:,} MiB at the peak")


def _preferences(result: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    for name, method in result["methods"].items():
        ours = result["paired"].get(name)
        yield (
            name,
            f"{method['accuracy']:.4f}",
            _between(method["ci"]),
            f"{method['guess_credited']:.4f}",
            f"{method['abstained']:.3f}",
            f"{method['ece']:.3f}",
            f"{ours['accuracy_diff']:+.4f} ({_between(ours['ci'], '+')})" if ours else "",
            _seconds(method["seconds"]),
        )


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
