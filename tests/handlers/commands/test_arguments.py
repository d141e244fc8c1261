"""The values of a call, checked."""

import pytest

from handlers.commands.arguments import read_options
from handlers.commands.parsing import parse_text
from handlers.community.cancel import COMMAND as CANCEL
from handlers.images.imagine import COMMAND as IMAGINE
from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing


def test_bare_words_fill_the_free_option_whatever_its_kind() -> None:
    """`/cancel 12` is the number of a job."""
    assert read_options(CANCEL, parse_text(CANCEL, "12")).job == 12


@pytest.mark.parametrize(
    ("raw", "field", "words"),
    [
        ({"prompt": ""}, "prompt", "/imagine needs a prompt"),
        ({"prompt": "fox", "steps": "many"}, "steps", "'many' is not a whole number; use 1 to 150"),
        ({"prompt": "fox", "steps": "2.5"}, "steps", "'2.5' is not a whole number"),
        ({"prompt": "fox", "steps": "151"}, "steps", "steps is 151; use 1 to 150"),
        ({"prompt": "fox", "guidance": "nan"}, "guidance", "'nan' is not a number; use 0 to 30"),
        ({"prompt": "fox", "count": 9}, "count", "count is 9; use 1 to 4"),
        ({"prompt": "fox", "scheduler": "magic"}, "scheduler", "'magic' is unknown; choose one of: euler"),
        ({"prompt": "fox", "colour": "red"}, "colour", "has no option 'colour'"),
    ],
)
def test_a_wrong_value_is_refused_with_its_limit(raw: dict[str, str | int], field: str, words: str) -> None:
    """Each sentence names the option and what it takes."""
    with pytest.raises(InvalidRequest) as refusal:
        read_options(IMAGINE, raw)

    assert words in str(refusal.value)
    assert refusal.value.field == field


def test_choices_are_taken_in_any_case() -> None:
    """Members write Euler; the request says euler."""
    assert read_options(IMAGINE, {"prompt": "fox", "scheduler": "Euler-A"}).scheduler is Scheduler.EULER_A


@pytest.mark.parametrize(
    ("raw", "scheduler", "spacing"),
    [
        ({"scheduler": "DPM++ 2M Karras"}, Scheduler.DPMPP_2M, Spacing.KARRAS),
        ({"scheduler": "DPM++ 2M Karras", "spacing": "Beta"}, Scheduler.DPMPP_2M, Spacing.BETA),
        ({"scheduler": "DPM++ 2M Karras", "spacing": "normal"}, Scheduler.DPMPP_2M, Spacing.KARRAS),
        ({"scheduler": "PLMS"}, Scheduler.PNDM, None),
        ({"spacing": "SGM Uniform"}, None, Spacing.SGM_UNIFORM),
        ({"spacing": "Align Your Steps"}, None, Spacing.AYS),
    ],
)
def test_samplers_are_taken_by_the_names_of_other_programs(
    raw: dict[str, str], scheduler: Scheduler | None, spacing: Spacing | None
) -> None:
    """AUTOMATIC1111's name of a sampler may have the spacing behind it."""
    options = read_options(IMAGINE, {"prompt": "fox", **raw})

    assert (options.scheduler, options.spacing) == (scheduler, spacing)
