"""Where the steps are: as the model says, or as the spacing is defined."""

from itertools import pairwise

import numpy as np
import pytest
from diffusers.schedulers.scheduling_euler_discrete import EulerDiscreteScheduler
from diffusers.schedulers.scheduling_utils import AysSchedules

from pipeline.errors import InvalidRequest
from pipeline.families.registry import FAMILIES
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.spacing import path_of
from tests.pipeline.samplers.settings import CONFIG

SDXL = CONFIG | {"timestep_spacing": "leading", "steps_offset": 1}


def times(kind: Scheduler, spacing: Spacing, steps: int, config: dict[str, object] = SDXL) -> list[float]:
    return [level.timestep for level in path_of(kind, spacing, config, steps, ()).levels[:-1]]


def sigmas(kind: Scheduler, spacing: Spacing, steps: int, config: dict[str, object] = SDXL) -> list[float]:
    return [level.sigma for level in path_of(kind, spacing, config, steps, ()).levels[:-1]]


@pytest.mark.parametrize("kind", Scheduler)
def test_trailing_is_what_distilled_models_were_made_for(kind: Scheduler) -> None:
    """Lightning, Hyper and DMD2 at four steps; and as many steps as were asked for at any number."""
    assert times(kind, Spacing.TRAILING, 4) == [999, 749, 499, 249]
    for steps in range(1, 151):
        found = times(kind, Spacing.TRAILING, steps) if kind is Scheduler.EULER else [0.0] * steps
        assert len(found) == steps


@pytest.mark.parametrize("kind", sorted(set(Scheduler) - {Scheduler.LCM, Scheduler.TCD}))
@pytest.mark.parametrize("own", ["leading", "trailing", "linspace"])
def test_normal_is_what_the_model_says(kind: Scheduler, own: str) -> None:
    """Its own `timestep_spacing`."""
    config = CONFIG | {"timestep_spacing": own}
    first = {"leading": 751 - 1, "trailing": 999, "linspace": 999}[own]
    multistep = {Scheduler.UNIPC, Scheduler.DEIS, Scheduler.DPMPP_2M, Scheduler.DPMPP_2M_SDE, Scheduler.DPMPP_3M_SDE}

    found = times(kind, Spacing.NORMAL, 4, config)

    assert found[0] == (800 if own == "leading" and kind in multistep else first)
    assert len(found) == 4


def test_simple_and_sgm_uniform_are_as_in_comfyui() -> None:
    """Every so many of the model's own timesteps; evenly from the last to before the first."""
    assert times(Scheduler.EULER, Spacing.SIMPLE, 3) == [999, 666, 333]
    assert times(Scheduler.EULER, Spacing.SGM_UNIFORM, 4) == [999, 749.25, 499.5, 249.75]


@pytest.mark.parametrize("family", FAMILIES)
def test_ays_is_the_published_table(family: str) -> None:
    """Of ten steps; and between its sigmas on straight lines of their logarithms."""
    table = FAMILIES[family].aligned_sigmas  # type: ignore[index]
    published = {"sdxl": "StableDiffusionXLSigmas", "sd15": "StableDiffusionSigmas"}[str(family)]
    ten, twenty = (path_of(Scheduler.EULER, Spacing.AYS, SDXL, steps, table).levels for steps in (10, 20))

    np.testing.assert_allclose([level.sigma for level in ten], AysSchedules[published], rtol=1e-9)
    np.testing.assert_allclose([level.sigma for level in twenty[:-1:2]], AysSchedules[published][:-1], rtol=1e-9)
    assert twenty[1].sigma == pytest.approx((table[0] * table[1]) ** 0.5)


def test_ays_without_a_table_is_refused() -> None:
    """Another family may have none."""
    with pytest.raises(InvalidRequest, match="no table for this model"):
        path_of(Scheduler.EULER, Spacing.AYS, SDXL, 4, ())


@pytest.mark.parametrize(
    ("spacing", "flag"), [("karras", "use_karras_sigmas"), ("exponential", "use_exponential_sigmas")]
)
def test_karras_and_exponential_are_those_of_diffusers(spacing: str, flag: str) -> None:
    """Also for kinds that diffusers has no such spacing for, which take Euler's."""
    scheduler = EulerDiscreteScheduler.from_config(SDXL | {flag: True})
    scheduler.set_timesteps(7)
    for kind in (Scheduler.EULER, Scheduler.EULER_A, Scheduler.DDIM, Scheduler.DPMPP_SDE, Scheduler.LCM):
        np.testing.assert_allclose(sigmas(kind, Spacing(spacing), 7), scheduler.sigmas[:-1].numpy(), rtol=1e-6)


@pytest.mark.parametrize("kind", [Scheduler.EULER, Scheduler.HEUN, Scheduler.DPMPP_2M, Scheduler.DDIM])
def test_beta_is_between_the_same_ends(kind: Scheduler) -> None:
    """At the quantiles of Beta(0.6, 0.6), which SciPy gives as 0.17568037865269498 for a quarter."""
    ends = sigmas(kind, Spacing.EXPONENTIAL, 5)
    low, high = ends[-1], ends[0]
    quarter = 0.17568037865269498
    shares = [1, 1 - quarter, 0.5, quarter, 0]

    found = sigmas(kind, Spacing.BETA, 5)

    np.testing.assert_allclose(found, [low + share * (high - low) for share in shares], rtol=1e-6)


def test_a_model_that_asks_for_beta_gets_it() -> None:
    """Without SciPy, which diffusers would need."""
    config = SDXL | {"use_beta_sigmas": True}

    assert sigmas(Scheduler.EULER, Spacing.NORMAL, 5, config) == sigmas(Scheduler.EULER, Spacing.BETA, 5)
    assert sigmas(Scheduler.DDIM, Spacing.NORMAL, 5, config) == sigmas(Scheduler.DDIM, Spacing.NORMAL, 5)


@pytest.mark.parametrize("kind", Scheduler)
@pytest.mark.parametrize("spacing", sorted(set(Spacing) - {Spacing.AYS}))
def test_every_spacing_goes_down(kind: Scheduler, spacing: Spacing) -> None:
    """For any sampler, to the end."""
    for steps in (1, 2, 9, 50):
        levels = path_of(kind, spacing, SDXL, steps, ()).levels
        assert len(levels) == steps + 1
        assert all(here.sigma > to.sigma for here, to in pairwise(levels)) or kind is Scheduler.DEIS
