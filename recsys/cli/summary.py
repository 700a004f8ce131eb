"""What is said at the end of a run: figures, three lists, where the report lies, what next."""

import json
from typing import Any

from recsys.cli.output import out, table
from recsys.cli.profiles import show_profile, stored
from recsys.cli.read import show_list
from recsys.pipeline.demo import DemoResult
from recsys.pipeline.run import RunResult
from recsys.published import Published
from recsys.settings import Settings


def show_run(settings: Settings, result: RunResult) -> None:
    """Tell what the run made, and what to look at."""
    if result.release:
        show_results(result)
        out().print(f"release {result.release}")
    out().print(f"artifacts: {', '.join(result.artifacts)} in {_path(settings.home.resolve())}")


def show_demo(settings: Settings, result: DemoResult) -> None:
    """Tell the demo's results, three shoppers' lists, and the next commands."""
    show_results(result.run)
    published = Published.open(settings)
    shoppers = _three(result.run)
    written = stored(settings, shoppers)
    for user in shoppers:
        if user in written:
            show_profile(written[user])
        found = published.list_of(user)
        show_list(user, found, published.titles([entry.item_id for entry in found.entries]))
    prefix = ".venv/bin/tailor"
    out().print(
        "[bold]Next[/]\n"
        f"  {prefix} recommend {shoppers[0]}\n"
        f"  {prefix} lookup {shoppers[0]}\n"
        f"  {prefix} profiles show {shoppers[0]}\n"
        f"  {prefix} report\n"
        f"  {prefix} release list\n"
        f"  {prefix} config show\n"
        f"  {prefix} run --reviews YOUR-REVIEWS… --items YOUR-ITEMS…",
    )


def show_results(result: RunResult) -> None:
    """Draw the table of methods from the report of the run."""
    folder = result.artifacts["report"].path
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    evaluation = report["evaluation"]
    table(
        f"Next purchase of {evaluation['n_users']:,} shoppers, {evaluation['n_items']:,} items",
        ("method", "NDCG@10", "95 % interval", "HR@10", "against popular"),
        [_row(name, method) for name, method in evaluation["methods"].items()],
        right=("NDCG@10", "95 % interval", "HR@10", "against popular"),
    )
    out().print(f"report: {_path(folder / 'report.html')}\n", soft_wrap=True)


def _row(name: str, method: dict[str, Any]) -> tuple[str, ...]:
    low, high = method["ndcg@10_ci"]
    against = method.get("against_popular")
    gain = f"{against['ndcg@10_diff']:+.4f}" if against else ""
    return (
        name,
        f"{method['ndcg@10']:.4f}",
        f"{low:.4f} to {high:.4f}",
        f"{method['hr@10']:.4f}",
        gain,
    )


def _three(result: RunResult) -> list[str]:
    """The three shoppers of the report's examples."""
    folder = result.artifacts["report"].path
    report = json.loads((folder / "report.json").read_text(encoding="utf-8"))
    return [example["user_id"] for example in report["examples"][:3]]


def _path(path: Any) -> str:
    return out().escape(str(path))
