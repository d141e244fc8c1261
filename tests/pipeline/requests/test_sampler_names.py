"""Samplers and spacings by whatever name a program has for them."""

from itertools import product

import pytest

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.requests.sampler_names import SAMPLER_NAMES, SPACING_NAMES, spacing_of, split_name
from pipeline.requests.spacing import Spacing


def test_every_sampler_and_spacing_has_a_name() -> None:
    """As other programs write it."""
    assert set(SAMPLER_NAMES) == set(Scheduler)
    assert set(SPACING_NAMES) == set(Spacing)


@pytest.mark.parametrize(
    ("text", "sampler", "spacing"),
    [
        ("DPM++ 2M Karras", Scheduler.DPMPP_2M, Spacing.KARRAS),
        ("dpm++2m", Scheduler.DPMPP_2M, None),
        ("DPM++ 2M SDE Exponential", Scheduler.DPMPP_2M_SDE, Spacing.EXPONENTIAL),
        ("DPM++ 2M SDE", Scheduler.DPMPP_2M_SDE, None),
        ("DPM++ SDE Karras", Scheduler.DPMPP_SDE, Spacing.KARRAS),
        ("DPM++ 3M SDE Karras", Scheduler.DPMPP_3M_SDE, Spacing.KARRAS),
        ("DPM++ 2S a Karras", Scheduler.DPMPP_2S_A, Spacing.KARRAS),
        ("Euler a", Scheduler.EULER_A, None),
        ("euler_ancestral", Scheduler.EULER_A, None),
        ("dpmpp_2m_sde_gpu", Scheduler.DPMPP_2M_SDE, None),
        ("PLMS", Scheduler.PNDM, None),
        ("EulerDiscreteScheduler", Scheduler.EULER, None),
        ("Euler SGM Uniform", Scheduler.EULER, Spacing.SGM_UNIFORM),
        ("DPM++ 2M Align Your Steps", Scheduler.DPMPP_2M, Spacing.AYS),
    ],
)
def test_names_of_other_programs_are_read(text: str, sampler: Scheduler, spacing: Spacing | None) -> None:
    """AUTOMATIC1111's of before and after it wrote the spacing apart, ComfyUI's and diffusers'."""
    assert split_name(text) == (sampler, spacing)
    assert Scheduler.parse(text) is sampler


@pytest.mark.parametrize("text", ["", "Karras", "magic", "DPM fast", "DPM++ 2M magic", "DDIM CFG++"])
def test_an_unknown_name_is_none(text: str) -> None:
    """Nor is a sampler guessed from a part of a name."""
    assert split_name(text) is None


def test_what_is_written_is_read() -> None:
    """Every pair, both ways that AUTOMATIC1111 writes it."""
    for sampler, spacing in product(Scheduler, Spacing):
        assert split_name(sampler.label) == (sampler, None)
        assert spacing_of(spacing.label) == spacing
        assert split_name(f"{sampler.label} {spacing.label}") == (sampler, spacing)


def test_an_unknown_spacing_names_those_that_exist() -> None:
    """And known ones are found however they are written."""
    assert Spacing.parse(" SGM uniform ") is Spacing.SGM_UNIFORM
    assert Spacing.parse("Align Your Steps") is Spacing.AYS
    with pytest.raises(InvalidRequest, match="choose one of: normal, karras"):
        Spacing.parse("magic")
