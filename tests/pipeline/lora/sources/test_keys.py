"""A guild's keys."""

import pytest

from pipeline.errors import InvalidRequest
from pipeline.lora.sources.keys import SourceKeys
from tests.pipeline.lora.sources.fetching import KEYS


def test_keys_are_in_no_text() -> None:
    assert "secret" not in repr(KEYS)


@pytest.mark.parametrize("key", ["", "two words", "line\r\nInjected: yes", "ключ", "x" * 513])
def test_what_no_header_may_carry_is_no_key(key: str) -> None:
    """And the sentence does not repeat it."""
    with pytest.raises(InvalidRequest) as refusal:
        SourceKeys(civitai=key)
    assert key == "" or key not in str(refusal.value)
