"""The description of a command's options, derived from the fields of a dataclass."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import pytest

from handlers.commands.arguments import Value, read_options
from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Details, Option, OptionKind
from handlers.commands.options import ChannelId, MemberId, Options, RoleId
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.options import ImagineOptions
from handlers.messages.message import Message
from handlers.registry import COMMANDS
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler

_FILE = AttachedFile(blob="key", name="fox.png", size=1)


class _Nib(StrEnum):
    ROUND = "round"
    FLAT = "flat"


@dataclass(frozen=True, slots=True, kw_only=True)
class _InkOptions(Options):
    hue: Annotated[float | None, Details("Its hue", low=0, high=1)] = None
    wet: Annotated[bool, Details("It is wet")]


@dataclass(frozen=True, slots=True, kw_only=True)
class _PenOptions(Options):
    class_: Annotated[str, Details("What it is", rest=True, completion=Completion.MODELS)]
    nib: Annotated[_Nib | None, Details("Its nib", flag="b")] = None
    ink: _InkOptions
    how_many: Annotated[int | None, Details("How many")] = None
    side: Annotated[Literal["left", "right"], Details("Whose it is")]
    sample: Annotated[AttachedFile | None, Details("What it draws", unless="how-many")] = None
    channel: Annotated[ChannelId | None, Details("Where")] = None
    role: Annotated[RoleId | None, Details("Whose")] = None
    member: Annotated[MemberId | None, Details("Who")] = None


async def _draw(caller: Caller, options: _PenOptions, context: AppContext) -> Message:
    return Message(headline=options.class_)


_PEN = Command(name="pen", help="A pen", example="/pen quill", takes=_PenOptions, handler=_draw)


def test_a_field_tells_name_kind_and_choices_and_whether_it_is_required() -> None:
    """In the order of the fields, those of a group in the place of the group."""
    assert _PEN.options == (
        Option("What it is", name="class", required=True, rest=True, completion=Completion.MODELS),
        Option("Its nib", name="nib", kind=OptionKind.CHOICE, choices=("round", "flat"), flag="b"),
        Option("Its hue", name="hue", kind=OptionKind.NUMBER, low=0, high=1),
        Option("It is wet", name="wet", kind=OptionKind.SWITCH, required=True),
        Option("How many", name="how-many", kind=OptionKind.INTEGER),
        Option("Whose it is", name="side", kind=OptionKind.CHOICE, choices=("left", "right"), required=True),
        Option("What it draws", name="sample", kind=OptionKind.FILE, required=True, unless="how-many"),
        Option("Where", name="channel", kind=OptionKind.CHANNEL),
        Option("Whose", name="role", kind=OptionKind.ROLE),
        Option("Who", name="member", kind=OptionKind.MEMBER),
    )


def test_raw_values_are_read_into_the_fields_and_given_back_by_name() -> None:
    """What was not given is None, and is not given back."""
    raw: dict[str, Value] = {
        "class": "quill",
        "nib": "FLAT",
        "hue": "0.5",
        "wet": "off",
        "side": "Left",
        "sample": _FILE,
        "role": "<@&7>",
    }

    options = read_options(_PEN, raw)

    assert options == _PenOptions(
        class_="quill", nib=_Nib.FLAT, ink=_InkOptions(hue=0.5, wet=False), side="left", sample=_FILE, role=RoleId("7")
    )
    assert options.given() == {
        "class": "quill", "nib": _Nib.FLAT, "hue": 0.5, "wet": False, "side": "left", "sample": _FILE, "role": "7",
    }  # fmt: skip
    assert options.texts()["wet"] == "off"


def test_an_option_with_another_in_its_place_may_be_left_out() -> None:
    """But not where that one is not given either."""
    rest = {"class": "quill", "wet": "on", "side": "left"}

    assert read_options(_PEN, {**rest, "how-many": 2}).sample is None
    with pytest.raises(InvalidRequest, match="/pen needs a sample: /pen quill"):
        read_options(_PEN, rest)


def test_what_is_saved_of_a_call_is_read_back_as_the_same_options() -> None:
    """A button that makes a call again keeps it as text."""
    options = ImagineOptions(
        prompt="a fox", aspect="16:9", seed=7, guidance=5.5, scheduler=Scheduler.DPMPP_2M, triggers=False, all=True
    )

    assert read_options(IMAGINE, options.texts()) == options


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_options_of_a_command_have_names_and_flags_of_their_own(command: Command) -> None:
    """Two that share one would hide each other, and one that stands for another must be there."""
    spellings = [flag for option in command.options for flag in option.flags]

    assert len(set(spellings)) == len(spellings)
    assert {option.unless for option in command.options} <= {None, *spellings}
    assert sum(option.rest for option in command.options) <= 1
