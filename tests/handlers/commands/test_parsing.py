"""Commands typed as text."""

import pytest

from handlers.commands.arguments import Value, read_options
from handlers.commands.attachments import AttachedFile
from handlers.commands.command import Command
from handlers.commands.groups import split_call
from handlers.commands.option import OptionKind
from handlers.commands.parsing import parse_text
from handlers.community.queue import COMMAND as QUEUE
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.registry import COMMANDS
from pipeline.errors import InvalidRequest


def test_the_prompt_is_everything_up_to_the_first_flag() -> None:
    """Commas, apostrophes, brackets and single dashes belong to the prompt."""
    raw = parse_text(IMAGINE, "a fox's den, (snow:1.2) - at dusk --steps 20 --ar 16:9")

    assert raw == {"prompt": "a fox's den, (snow:1.2) - at dusk", "steps": "20", "aspect": "16:9"}


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_example_of_a_command_is_a_call_of_it(command: Command) -> None:
    """Help and refusals show it, so a member who types it as it stands must not be refused."""
    called = split_call(command.example, COMMANDS)

    assert called is not None
    assert called[0] == command
    raw: dict[str, Value] = {**parse_text(command, called[1])}
    for option in command.options:
        if option.kind is OptionKind.FILE and option.name in raw:  # which its platform fetches
            raw[option.name] = AttachedFile(blob="key", name=str(raw[option.name]), size=1)
    read_options(command, raw)


@pytest.mark.parametrize("dash", ["—", "–", "--"])
def test_long_dashes_that_clients_put_in_begin_a_flag(dash: str) -> None:
    """Slack's and phones' keyboards turn -- into one long dash."""
    assert parse_text(IMAGINE, f"red fox {dash}seed 7") == {"prompt": "red fox", "seed": "7"}


def test_a_long_dash_between_words_stays_in_the_prompt() -> None:
    """Only a dash that touches a word in front of it starts a flag."""
    assert parse_text(IMAGINE, "a fox — asleep --n 2") == {"prompt": "a fox — asleep", "count": "2"}


def test_smart_quotes_and_ellipses_become_plain_ones() -> None:
    """The prompt that reaches the model is the one that was meant."""
    assert parse_text(IMAGINE, "“fox”… it’s red")["prompt"] == '"fox"... it\'s red'


def test_a_value_may_hold_several_words_or_stand_in_quotes() -> None:
    """A negative prompt is a sentence."""
    raw = parse_text(IMAGINE, 'fox --no people, text --scheduler "euler-a" --seed=5')

    assert raw == {"prompt": "fox", "negative": "people, text", "scheduler": "euler-a", "seed": "5"}


def test_an_unknown_flag_names_the_nearest_one() -> None:
    """A slip of the finger costs one glance."""
    with pytest.raises(InvalidRequest, match=r"no --stpes; did you mean --steps\?"):
        parse_text(IMAGINE, "fox --stpes 20")


def test_a_flag_without_its_value_says_what_it_is_for() -> None:
    """The last word of a line may be a flag that waits for its value."""
    with pytest.raises(InvalidRequest, match="--seed needs a value"):
        parse_text(IMAGINE, "fox --seed")


def test_words_for_a_command_without_text_are_refused() -> None:
    """Silently dropping words would hide a mistake."""
    with pytest.raises(InvalidRequest, match="/queue takes no text"):
        parse_text(QUEUE, "everything")


def test_a_flag_given_twice_is_both_or_refused() -> None:
    """Never the last alone; LoRAs may be named one flag each."""
    raw = parse_text(IMAGINE, "fox --lora crayon:0.8 --steps 20 --lora film")

    assert raw == {"prompt": "fox", "lora": "crayon:0.8 film", "steps": "20"}
    with pytest.raises(InvalidRequest, match="--steps is given twice"):
        parse_text(IMAGINE, "fox --steps 20 --steps 30")
    with pytest.raises(InvalidRequest, match="--prompt is given twice"):
        parse_text(IMAGINE, "fox --prompt owl")
