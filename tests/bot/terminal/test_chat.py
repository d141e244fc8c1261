"""What a person reads who leaves the terminal."""

from bot.terminal.chat import leaving_words


def test_nothing_is_said_where_nothing_is_being_made() -> None:
    """Leaving takes no time then."""
    assert leaving_words((), 20.0) is None


def test_what_is_waited_for_is_named_with_the_way_out() -> None:
    """How long it takes at most, and what becomes of the rest."""
    message = leaving_words(("red fox", "x" * 60, "/subject export rex", "owl", "cat"), 20.0)

    assert message is not None
    assert message.headline == (
        f"Waiting for 'red fox', '{'x' * 40}', '/subject export rex' and 2 more; Ctrl-C leaves at once."
    )
    assert message.lines == ("Pictures get 20 s; what is not finished by then goes on next time.",)
