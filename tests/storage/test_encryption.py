"""Encrypted texts: only the right key decrypts them, and a key can be replaced."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from pipeline.errors import UserError
from storage.encryption import Encryption


def test_only_its_own_key_decrypts_a_text() -> None:
    """With another key there is a sentence."""
    encryption, other = (Encryption.from_keys(Fernet.generate_key().decode()) for _ in range(2))
    encrypted = encryption.encrypt("xoxb-secret")

    assert "xoxb" not in encrypted
    assert encryption.decrypt(encrypted) == "xoxb-secret"
    with pytest.raises(UserError, match="LIMNER_KEY"):
        other.decrypt(encrypted)


def test_a_new_key_in_front_still_decrypts_what_the_old_one_encrypted() -> None:
    """A key is replaced without anybody installing again."""
    old, new = (Fernet.generate_key().decode() for _ in range(2))
    encrypted = Encryption.from_keys(old).encrypt("xoxb-secret")

    assert Encryption.from_keys(f"{new},{old}").decrypt(encrypted) == "xoxb-secret"


def test_what_is_no_key_is_refused_with_the_way_to_make_one() -> None:
    """The text itself is not repeated."""
    with pytest.raises(UserError, match="generate_key") as refused:
        Encryption.from_keys("hunter2")
    assert "hunter2" not in str(refused.value)


def test_processes_that_start_together_have_one_key(tmp_path: Path) -> None:
    """None of them reads a key that another one has not written yet."""
    with ThreadPoolExecutor(8) as starting:
        encryptions = list(starting.map(lambda _: Encryption.from_file(tmp_path), range(8)))

    assert {reader.decrypt(encryptions[0].encrypt("xoxb-secret")) for reader in encryptions} == {"xoxb-secret"}


def test_a_key_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    """The second start finds the first one's key."""
    encrypted = Encryption.from_file(tmp_path).encrypt("xoxb-secret")

    assert Encryption.from_file(tmp_path).decrypt(encrypted) == "xoxb-secret"
    (key,) = tmp_path.iterdir()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
