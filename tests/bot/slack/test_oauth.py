"""The proof that an installation carries through the browser."""

import pytest
from cryptography.fernet import Fernet

from bot.slack.oauth import EncryptedStates
from storage.database import Database
from storage.encryption import Encryption
from tests.fakes import FakeClock


@pytest.fixture
def states(sqlite: Database) -> EncryptedStates:
    return EncryptedStates(Encryption.from_keys(Fernet.generate_key().decode()), sqlite.now)


async def test_a_state_opens_once(states: EncryptedStates) -> None:
    """A link that was used, or that nobody issued, installs nothing."""
    state = await states.async_issue()

    assert await states.async_consume(state)
    assert not await states.async_consume(state)
    assert not await states.async_consume("made up")


@pytest.mark.parametrize(("seconds", "opens"), [(599, True), (601, False)])
async def test_a_state_is_valid_for_ten_minutes(
    states: EncryptedStates, clock: FakeClock, seconds: float, opens: bool
) -> None:
    """By the clock that all processes share, which here is decades behind the one on the wall."""
    state = await states.async_issue()
    clock.advance(seconds)

    assert await states.async_consume(state) is opens
