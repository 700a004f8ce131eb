"""`tailor profiles`: write what is due, read one, see what changed, count, try again, compare."""

import argparse
import difflib
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from recsys.cli.output import as_json, errors, out, table
from recsys.cli.progress import Display
from recsys.errors import StageError
from recsys.settings import Settings

if TYPE_CHECKING:
    from recsys.profiles.state import Kept

STAGE = "profiles"


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser(STAGE, help="what each shopper is like, in words")
    kinds = group.add_subparsers(required=True)
    run = kinds.add_parser("run", help="write the profiles that are due, and put them online")
    run.set_defaults(run=_run)
    again = kinds.add_parser("retry", help="try again those that failed, dead letters included")
    again.set_defaults(run=_retry)
    show = kinds.add_parser("show", help="a shopper's digestion, guidance and profile")
    show.set_defaults(run=_show)
    diff = kinds.add_parser("diff", help="what the last writing changed in a shopper's profile")
    diff.set_defaults(run=_diff)
    stats = kinds.add_parser("stats", help="how many profiles there are, by whom, and what failed")
    stats.set_defaults(run=_stats)
    against = kinds.add_parser("compare", help="profiles carried on beside profiles written afresh")
    against.add_argument("--added", type=int, default=2, metavar="N", help="purchases that are new")
    against.add_argument(
        "--shoppers", type=int, default=200, metavar="N", help="shoppers at most, by hash"
    )
    against.set_defaults(run=_compare)
    for command in (show, diff):
        command.add_argument("user", metavar="USER", help="the shopper's id")
    for command in (run, again, show, diff, stats, against):
        command.add_argument("--json", action="store_true", help="print JSON")


def _run(args: argparse.Namespace, settings: Settings) -> int:
    from recsys import environment
    from recsys.pipeline.run import run

    environment.check()
    with Display() as display:
        result = run(settings, start=STAGE, until="store", observer=display)
    told = result.artifacts[STAGE].manifest.metrics
    if STAGE in result.skipped:
        told = {**told, "unchanged": told.get("shoppers", 0), "written": 0, "calls": 0, "tokens": 0}
    if args.json:
        as_json(told)
        return 0
    rows = [(name, value) for name, value in told.items() if value not in ("", {}, 0)]
    table("Profiles", ("", "count"), rows, right=("count",))
    if told.get("waiting"):
        out().print("the rest waits: `tailor profiles run` goes on")
    return 0


def _retry(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.stages.profiles import state_of
    from recsys.results import database, retry_failures

    engine = database.of(settings)
    database.upgrade(engine)
    asked = retry_failures(engine)
    if not asked:
        as_json({"retried": 0}) if args.json else out().print("nothing failed, nothing to retry")
        return 0
    state_of(settings).take_turn()
    return _run(args, settings)


def _show(args: argparse.Namespace, settings: Settings) -> int:
    row = stored(settings, [args.user]).get(args.user)
    if row is None:
        raise StageError(
            f"no profile of {args.user!r}", where="profiles", fix="`tailor profiles run` writes it"
        )
    row.pop("embedding")
    if args.json:
        as_json(row)
    else:
        show_profile(row)
    return 0


def stored(settings: Settings, users: list[str]) -> dict[str, dict[str, Any]]:
    """The profiles of shoppers as the feature store reads them."""
    from recsys.artifacts import ArtifactStore
    from recsys.profiles.view import VIEW
    from recsys.tables import read_table

    store = ArtifactStore(settings.home)
    version = store.current(STAGE)
    if version is None:
        raise StageError(
            "no profiles were written yet", where=str(store.home), fix="`tailor profiles run`"
        )
    folder = store.open(STAGE, version).path / VIEW
    rows = read_table(folder, filters=[("user_id", "in", users)]).to_pylist()
    return {row["user_id"]: row for row in rows}


def show_profile(row: dict[str, Any]) -> None:
    """Draw one profile."""
    seen = row["event_timestamp"].date().isoformat()
    table(
        f"{row['user_id']} ({row['level']}, up to {seen})",
        ("", "text"),
        [("guidance", row["guidance"] or "none in this style"), ("profile", row["profile"])],
    )
    told = f"by {row['generator']}, prompts {row['prompt_version']}, style {row['style']}"
    out().print(f"[dim]{out().escape(told)}[/]")


def _diff(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.pipeline.stages.profiles import state_of
    from recsys.profiles.job import USER

    state = state_of(settings)
    now = state.get(USER, [args.user]).get(args.user)
    if now is None:
        raise StageError(f"no profile of {args.user!r} was written", where="profiles diff")
    before = state.earlier(USER, [args.user]).get(args.user)
    if args.json:
        as_json({"user": args.user, "before": _told(before), "now": _told(now)})
    elif before is None:
        out().print("written once; there is nothing to compare it with")
    else:
        _show_diff(before, now)
    return 0


def _told(kept: "Kept | None") -> dict[str, Any] | None:
    if kept is None:
        return None
    names = ("guidance", "profile", "generator", "prompt_version", "style", "written_at")
    last = datetime.fromtimestamp(kept.last_seconds, UTC)
    return {name: getattr(kept, name) for name in names} | {
        "purchases": len(kept.items),
        "last_purchase": last,
    }


def _show_diff(before: "Kept", now: "Kept") -> None:
    new = len(now.items) - (len(set(zip(now.items, now.times, strict=True)) & _pairs(before)))
    out().print(f"{new} new purchases since {before.written_at[:19]}")
    for name in ("guidance", "profile"):
        old, fresh = (
            getattr(each, name).replace(". ", ".\n").split("\n") for each in (before, now)
        )
        for line in difflib.unified_diff(old, fresh, "before", "now", lineterm="", n=1):
            style = {"+": "green", "-": "red"}.get(line[:1], "dim")
            out().print(f"[{style}]{out().escape(line)}[/]", soft_wrap=True)


def _pairs(kept: "Kept") -> set[tuple[str, int]]:
    return set(zip(kept.items, kept.times, strict=True))


def _stats(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.artifacts import ArtifactStore
    from recsys.profiles.view import VIEW
    from recsys.results import database, failures
    from recsys.tables import read_table

    store = ArtifactStore(settings.home)
    version = store.current(STAGE)
    if version is None:
        raise StageError(
            "no profiles were written yet", where=str(store.home), fix="`tailor profiles run`"
        )
    artifact = store.open(STAGE, version)
    rows = read_table(artifact.path / VIEW, ["level", "generator", "profile"])
    engine = database.of(settings)
    database.upgrade(engine)
    failed = failures(engine).values()
    told = {
        "profiles": rows.num_rows,
        "different": len(set(rows["profile"].to_pylist())),
        "by_level": dict(Counter(rows["level"].to_pylist())),
        "by_generator": dict(Counter(rows["generator"].to_pylist())),
        "failed": dict(Counter(each.reason for each in failed)),
        "dead_letters": sum(each.dead for each in failed),
        "last_run": artifact.manifest.metrics,
    }
    if args.json:
        as_json(told)
    else:
        _show_stats(told)
    return 0


def _show_stats(told: dict[str, Any]) -> None:
    counted = [("profiles", told["profiles"]), ("different texts", told["different"])]
    for name in ("by_level", "by_generator", "failed"):
        counted += [(f"{name.replace('_', ' ')}: {key}", n) for key, n in told[name].items()]
    counted.append(("dead letters", told["dead_letters"]))
    table("Profiles", ("", "count"), counted, right=("count",))
    last = [(name, value) for name, value in told["last_run"].items() if value not in ("", {}, 0)]
    table("Last run", ("", "count"), last, right=("count",))
    if told["dead_letters"]:
        errors().print("`tailor profiles retry` tries the dead letters again")


def _compare(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.artifacts import ArtifactStore
    from recsys.pipeline.stages.profiles import answers, encoder_of, population
    from recsys.profiles.compare import compare, measured
    from recsys.profiles.run import profiler_of

    store, config = ArtifactStore(settings.home), settings.personalizer.profiles
    kinds = ("tables", "features", "embeddings")
    versions = {kind: store.current(kind) for kind in kinds}
    if missing := [kind for kind, version in versions.items() if version is None]:
        raise StageError(
            f"{missing[0]!r} was never made", where="profiles compare", fix="`tailor run`"
        )
    inputs = {kind: store.open(kind, str(version)) for kind, version in versions.items()}
    people = population(inputs, "serve")
    profiler = profiler_of(config, people.items, cache=answers(settings))
    pairs = compare(
        profiler,
        people.histories,
        added=args.added,
        least=config.min_purchases,
        shoppers=args.shoppers,
    )
    figures = measured(pairs, encoder_of(settings) if config.embed else None)
    figures["generator"] = profiler.generator.version
    if args.json:
        as_json(figures)
    else:
        table("Carried on, beside written afresh", ("", "figure"), list(figures.items()))
    return 0
