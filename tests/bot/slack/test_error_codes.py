"""Every error that Slack's reference lists has a meaning here, and one only."""

from collections import Counter

import pytest

from bot.slack import error_codes
from bot.slack.error_codes import BY_CODE, SlackRefusal
from tests.wire.slack.specification import METHODS, method


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_error_that_a_method_may_answer_has_a_meaning(name: str) -> None:
    """A method that is newly called brings its errors."""
    specification = method(name)

    assert specification is not None
    assert specification.errors - BY_CODE.keys() == set()


def test_no_error_has_two_meanings() -> None:
    """One row for each, and something in each row."""
    counted = Counter(code for codes in error_codes._CODES.values() for code in codes)

    assert {code for code, times in counted.items() if times > 1} == set()
    assert set(error_codes._CODES) == set(SlackRefusal)
    assert all(error_codes._CODES.values())


@pytest.mark.parametrize(
    ("code", "refusal"),
    [
        ("ekm_access_denied", SlackRefusal.FORBIDDEN),
        ("missing_scope", SlackRefusal.FORBIDDEN),
        ("slack_connect_file_upload_sharing_blocked", SlackRefusal.NO_FILES),
        ("org_login_required", SlackRefusal.LATER),
        ("team_added_to_org", SlackRefusal.LATER),
        ("message_limit_exceeded", SlackRefusal.LATER),
        ("token_expired", SlackRefusal.REVOKED),
        ("exchanged_trigger_id", SlackRefusal.ANSWERED),
        ("file_deleted", SlackRefusal.FILE_GONE),
    ],
)
def test_what_slacks_words_for_an_error_say_is_what_it_means(code: str, refusal: SlackRefusal) -> None:
    """What lasts until a migration is complete passes; what administrators have suspended does not."""
    assert BY_CODE[code] is refusal
