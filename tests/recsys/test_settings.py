"""One settings tree: defaults < tailor.toml < TAILOR_*, and no key that nobody knows."""

from pathlib import Path

import pytest

from recsys import settings
from recsys.errors import SettingsError


def value_of(key: str) -> settings.Value:
    return next(v for v in settings.show(settings.load()) if v.key == key)


def test_defaults_need_no_file() -> None:
    assert value_of("lists.length").value == 10
    assert value_of("lists.length").source == "default"


def test_the_file_overrides_the_default_and_the_environment_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tailor.toml").write_text("[lists]\nlength = 7\nrerank = 5\n")
    monkeypatch.setenv("TAILOR_LISTS__LENGTH", "9")
    assert (value_of("lists.length").value, value_of("lists.length").source) == (
        9,
        "TAILOR_LISTS__LENGTH",
    )
    assert (value_of("lists.rerank").value, value_of("lists.rerank").source) == (5, "tailor.toml")


def test_environment_reaches_the_dataclass_branches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_PERSONALIZER__HYPERNET__TARGETS", '["q_proj"]')
    monkeypatch.setenv("TAILOR_PERSONALIZER__LM__LAYERS", "2")
    loaded = settings.load().personalizer
    assert (loaded.hypernet.targets, loaded.lm.layers) == (("q_proj",), 2)


def test_an_unknown_variable_names_the_nearest_known_setting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TAILOR_LISTS__LENGHT", "9")
    with pytest.raises(SettingsError, match=r"TAILOR_LISTS__LENGHT.*did you mean 'lists.length'"):
        settings.load()


def test_an_unknown_key_in_the_file_names_the_nearest_known_setting(tmp_path: Path) -> None:
    (tmp_path / "tailor.toml").write_text("[features.spark]\nmastr = 'local[1]'\n")
    with pytest.raises(SettingsError, match=r"tailor.toml.*did you mean 'features.spark.master'"):
        settings.load()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed = 'x'", "seed"),
        ("[cuts]\nholdout_share = 1.5", "holdout_share"),
        ("not toml", "not valid TOML"),
        ("lists = 3", "unknown setting 'lists'"),
        ("[index]\nkind = 'flat'", "index.kind"),
        ("[index]\nmin_recall = 1.1", "index.min_recall"),
    ],
)
def test_a_bad_file_says_what_is_wrong_and_where(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "tailor.toml").write_text(text)
    with pytest.raises(SettingsError, match=message) as error:
        settings.load()
    assert "tailor.toml" in str(error.value)


def test_a_named_file_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_CONFIG", "nowhere.toml")
    with pytest.raises(SettingsError, match=r"nowhere\.toml: no such file"):
        settings.load()


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TAILOR_RESULTS__URL", "postgresql+psycopg://u:hunter2@h/db")
    assert "hunter2" not in str(value_of("results.url").value)
    assert "hunter2" not in str(settings.dump(settings.load()))


def test_every_setting_says_what_it_means() -> None:
    assert [key for key, (meaning, _) in settings.known().items() if not meaning] == []
