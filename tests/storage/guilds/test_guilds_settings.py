"""Settings that no guild can have are refused where they are made."""

from typing import Any

import pytest

from pipeline.errors import InvalidRequest
from storage.guilds.guilds import GuildSettings


@pytest.mark.parametrize(
    ("field", "changes"),
    [("max pixels", {"max_pixels": 100}), ("max pixels", {"max_pixels": 10**9}), ("max steps", {"max_steps": 0})],
)
def test_limit_out_of_range_names_field_and_limit(field: str, changes: dict[str, Any]) -> None:
    """A cap that the pipeline cannot keep is refused, with its name and what it may be."""
    with pytest.raises(InvalidRequest, match=rf"{field} is \d+; use \d+ to \d+\.") as raised:
        GuildSettings(**changes)

    assert raised.value.field == field


def test_command_without_roles_is_open() -> None:
    """A command that no admin restricted asks for no role."""
    settings = GuildSettings(command_roles=(("train", ("r1",)),))

    assert (settings.roles_for("train"), settings.roles_for("imagine")) == (("r1",), ())
