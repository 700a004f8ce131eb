"""What is not documented fails here."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def made() -> str:
    return str(runpy.run_path(str(ROOT / "docs" / "reference.py"))["reference"]())


def test_the_reference_is_what_the_code_says(made: str) -> None:
    written = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert written == made, "run `make docs`"


def test_every_option_has_a_meaning(made: str) -> None:
    assert "| None |" not in made
    assert "|  |" not in made


def test_every_extra_is_in_the_reference(made: str) -> None:
    several = ("features", "recsys", "llm", "airflow", "serve", "client", "report", "gpu")
    for extra in (*several, "all", "dev"):
        assert f"\n| `{extra}` |" in made


def test_the_make_targets_are_told_in_the_contributing_guide() -> None:
    guide = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    targets = ("setup", "check", "test", "format", "docs")
    assert [name for name in targets if f"make {name}" not in guide] == []


def test_every_feature_has_a_meaning_a_window_and_a_source() -> None:
    from features.repo.meanings import MEANINGS
    from features.repo.views import SPECS

    untold = {
        (view, column)
        for view, spec in SPECS.items()
        for column in spec.columns
        if column not in MEANINGS.get(view, {})
    }
    assert not untold, "say what they mean in features/repo/meanings.py"
    told = [feature for view in MEANINGS.values() for feature in view.values()]
    assert all(one.meaning and one.window and one.source for one in told)


def test_the_page_of_features_is_what_the_code_says() -> None:
    page = str(runpy.run_path(str(ROOT / "docs" / "features_page.py"))["features"]())
    assert (ROOT / "docs" / "features.md").read_text(encoding="utf-8") == page, "run `make docs`"
    assert "| `gap_variance` | Float64 | variance of the days" in page


def test_no_script_hides_a_package_from_the_scripts_beside_it() -> None:
    # Python looks for modules in a script's own folder first
    packages = {"features", "personalizer", "recsys", "dags", "tests"}
    scripts = [*(ROOT / "benchmarks").glob("*.py"), *(ROOT / "docs").glob("*.py")]
    assert len(scripts) > 5
    assert packages & {script.stem for script in scripts} == set()
