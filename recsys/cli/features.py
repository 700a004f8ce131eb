"""`tailor features apply | materialize | status | training-set | warm`: the feature store."""

import argparse
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from recsys.cli.output import as_json, errors, out, table
from recsys.cli.progress import Display
from recsys.errors import StageError
from recsys.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from features.store import FeatureRepo, ViewStatus
    from recsys.results.quality import Check

_DAY = timedelta(days=1)


def register(commands: Any) -> None:
    """Add the command group."""
    group = commands.add_parser("features", help="the feature store").add_subparsers(required=True)
    applying = group.add_parser("apply", help="register the feature definitions")
    applying.set_defaults(run=_apply)
    filling = group.add_parser("materialize", help="bring the features of an interval online")
    filling.add_argument("--start", required=True, type=_moment, metavar="T", help=_WHEN)
    filling.add_argument("--end", required=True, type=_moment, metavar="T", help=_WHEN)
    filling.add_argument(
        "--view", action="append", metavar="V", help="this view (default: all with rows offline)"
    )
    filling.add_argument("--json", action="store_true", help="print the counts as JSON")
    filling.set_defaults(run=_materialize)
    telling = group.add_parser("status", help="each view: rows, how fresh, where it is online")
    telling.add_argument("--json", action="store_true", help="print JSON")
    telling.set_defaults(run=_status)
    joining = group.add_parser(
        "training-set", help="labels with the features that were known at their moment"
    )
    joining.add_argument(
        "--labels", required=True, type=Path, metavar="F",
        help="CSV or Parquet with user_id, item_id, event_timestamp; further columns are kept",
    )  # fmt: skip
    joining.add_argument(
        "--out", type=Path, metavar="F",
        help="Parquet folder to write (default: training/NAME.parquet in the home)",
    )  # fmt: skip
    joining.set_defaults(run=_training_set)
    warming = group.add_parser(
        "warm", help="let Java keep what it loads for Spark: later starts need seconds less"
    )
    warming.set_defaults(run=_warm)


_WHEN = "a moment as 2024-03-01 or 2024-03-01T12:00:00+00:00; without a zone it is UTC"


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not {_WHEN}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _offline(repo: "FeatureRepo") -> Path:
    """The folder of views that a run leaves."""
    folder = repo.home / "offline"
    if not folder.is_dir():
        raise StageError(
            "no features yet", where=str(folder), fix="`tailor run --until store` computes them"
        )
    return folder


def _apply(_args: argparse.Namespace, settings: Settings) -> int:
    from recsys.online import repo_of

    repo = repo_of(settings)
    repo.apply(_offline(repo))
    out().print(
        f"applied {len(repo.status())} views; online in {out().escape(repo.place)}", soft_wrap=True
    )
    return 0


def _materialize(args: argparse.Namespace, settings: Settings) -> int:
    from features.repo.views import VIEWS
    from recsys.online import repo_of

    if args.start > args.end:
        raise StageError(f"{args.start} is after {args.end}", where="tailor features materialize")
    repo = repo_of(settings)
    repo.check(args.view or [])
    offline = _offline(repo)
    views = args.view or [view for view in VIEWS if (offline / view).is_dir()]
    began = time.monotonic()
    with Display() as display:
        display.event("materialize", "start")
        written = repo.materialize(
            args.start, args.end, views, lambda *step: display.progress("materialize", *step)
        )
        display.event("materialize", "done")
    seconds = round(time.monotonic() - began, 2)
    if args.json:
        as_json({"views": views, "written": written, "seconds": seconds})
    else:
        out().print(f"{written:,} rows written in {seconds} s; the others were there already")
    return 0


def _status(args: argparse.Namespace, settings: Settings) -> int:
    from recsys.online import repo_of
    from recsys.results import database
    from recsys.results.quality import latest

    repo = repo_of(settings)
    repo.check([])
    now = _now(settings)
    views = [_told(view, settings, now) for view in repo.status()]
    checks = latest(database.of(settings))
    if args.json:
        quality = [check._asdict() for check in checks]
        as_json({"online": repo.place, "now": now, "views": views, "quality": quality})
        return 0
    table(
        f"Features, online in {repo.place}",
        ("view", "rows", "latest", "age", "allowed", "online until", "offline"),
        [
            (
                view["view"],
                "none" if view["rows"] is None else f"{view['rows']:,}",
                view["latest"] or "",
                "" if view["age_days"] is None else f"{view['age_days']:.1f} days",
                f"{view['max_age_days']:g} days",
                view["online_until"] or "never",
                view["offline"],
            )
            for view in views
        ],
        right=("rows", "age", "allowed"),
    )
    out().print(f"[dim]ages measured at {now.isoformat()}[/]")
    for view in views:
        if view["stale"]:
            errors().print(f"[yellow]stale[/] {view['view']}: look-ups count it as missing")
    _show_quality(checks)
    return 0


def _show_quality(checks: "Sequence[Check]") -> None:
    """Sum up the quality watch: what broke a limit, and what came nearest to one."""
    if not checks:
        return
    broken = [check for check in checks if check.breached]
    drifted = sorted((c for c in checks if c.measure in {"psi", "ks"}), key=lambda c: -c.value)
    told = (
        f"Quality, {checks[0].made_at:%Y-%m-%d %H:%M} UTC: {len(checks)} checks, "
        f"{len(broken)} beyond their limits"
    )
    if not broken and not drifted:  # a first release has nothing to drift from
        out().print(told)
        return
    table(
        told,
        ("view", "feature", "measure", "value", "limit"),
        [
            (c.view, c.feature, c.measure, f"{c.value:.4g}", "" if c.bound is None else c.bound)
            for c in (broken or drifted[:5])
        ],
        right=("value", "limit"),
    )


def _told(view: "ViewStatus", settings: Settings, now: datetime) -> dict[str, Any]:
    """One view as the status tells it."""
    from features.materialize import summary

    rows, latest = summary(view.offline)
    allowed = settings.features.store.max_age_of(view.name)
    age = None if latest is None else max(now - latest, timedelta(0))
    return {
        "view": view.name,
        "description": view.description,
        "offline": view.offline,
        "rows": rows,
        "latest": latest,
        "age_days": None if age is None else age / _DAY,
        "max_age_days": allowed / _DAY,
        "stale": age is not None and age > allowed,
        "online_until": view.materialized_until,
    }


def _now(settings: Settings) -> datetime:
    """Against what ages are measured; before a release there are no data to measure against."""
    from recsys.artifacts import ArtifactStore, Releases
    from recsys.errors import NoReleaseError
    from recsys.online import clock_of

    try:
        release = Releases(ArtifactStore(settings.home)).serving().release
    except NoReleaseError:
        return datetime.now(UTC)
    return clock_of(settings, release)()


def _training_set(args: argparse.Namespace, settings: Settings) -> int:
    from features.spark import session
    from recsys.online import repo_of
    from recsys.training_set import make

    repo = repo_of(settings)
    repo.check([])
    folder = args.out or settings.home / "training" / f"{args.labels.stem}.parquet"
    rows = make(session(settings.features.spark), repo, args.labels, folder)
    out().print(f"{rows:,} rows in {out().escape(str(folder))}", soft_wrap=True)
    return 0


def _warm(_args: argparse.Namespace, settings: Settings) -> int:
    from features.spark import record
    from recsys.rehearsal import rehearse

    kept = record(settings.features.spark, lambda spark: rehearse(spark, settings))
    size = kept.stat().st_size / 2**20
    out().print(f"{size:,.0f} MiB kept in {out().escape(str(kept))}", soft_wrap=True)
    return 0
