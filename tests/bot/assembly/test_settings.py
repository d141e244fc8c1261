"""The settings, as the environment gives them and as the docs tell them."""

import re
from pathlib import Path

import pytest

from bot.assembly.settings import Settings
from pipeline.errors import UserError


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    """A setting that nobody can find is not one."""
    page = Path(__file__).parents[3] / "docs" / "settings.md"
    documented = set(re.findall(r"`((?:LIMNER|DISCORD|SLACK|CIVITAI|HUGGING_FACE)_[A-Z_]+)`", page.read_text()))
    names = {field.alias for field in Settings.model_fields.values()}

    assert documented == names


def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence with each setting that is wrong, and where to correct it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LIMNER_PORT", "a lot")
    monkeypatch.setenv("LIMNER_TRAINING_HOURS", "22-25")

    with pytest.raises(UserError, match=r"LIMNER_TRAINING_HOURS.*LIMNER_PORT.*environment or \.env"):
        Settings.load()


def test_the_environment_wins_over_the_file_and_secrets_do_not_show(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A token in `.env` is read, and is not printed with the settings."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_text("LIMNER_MODEL=from-file\nLIMNER_KEEP_DAYS=3\nDISCORD_TOKEN=hush\n")
    monkeypatch.setenv("LIMNER_MODEL", "from-environment")

    settings = Settings.load()

    assert (settings.model, settings.keep_days) == ("from-environment", 3)
    assert settings.discord_token is not None
    assert "hush" not in repr(settings)
