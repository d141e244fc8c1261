"""The proof that an installation carries through the browser."""

from cryptography.fernet import Fernet

from bot.slack.oauth import EncryptedStates
from storage.guilds.encryption import Encryption
from tests.fakes import FakeClock


async def test_a_state_opens_once() -> None:
    """A link that was used, or that nobody issued, installs nothing."""
    states = EncryptedStates(Encryption.from_keys(Fernet.generate_key().decode()), FakeClock())
    state = await states.async_issue()

    assert await states.async_consume(state)
    assert not await states.async_consume(state)
    assert not await states.async_consume("made up")
