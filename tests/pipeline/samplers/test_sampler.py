"""A walk from noise ends at the image that the denoiser saw, or does not begin."""

from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.samplers.spacing import SCHEDULER_CLASSES
from tests.pipeline.samplers.numerical_model import (
    answer,
    begun,
    distance,
    sampler_of,
    walked,
    walked_by_diffusers,
)
from tests.pipeline.samplers.references import DIFFUSERS, scheduler_of
from tests.pipeline.samplers.settings import CONFIG
from tests.pipeline.samplers.sigma_walks import WALKS, walked_by_sigma


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_a_denoiser_that_is_always_right_ends_at_the_clean_image(
    prediction: str, latents: tuple[Tensor, Tensor]
) -> None:
    """All the way from where the walk begins, by the rule that adds no noise of its own."""
    schedule, (clean, noise) = NoiseSchedule(CONFIG | {"prediction_type": prediction}), latents
    sampler = schedule.sampler(Scheduler.EULER, 5, made=3)
    walked = sampler.noised(clean, noise)
    while not sampler.finished:
        target = schedule.target(clean, noise, sampler.timestep[None].long())
        walked = sampler.step(target, walked, torch.Generator())

    torch.testing.assert_close(walked, clean, rtol=1e-2, atol=1e-2)


def test_a_walk_that_a_kind_cannot_take_is_refused() -> None:
    """LCM was made for as many steps as it was distilled with."""
    with pytest.raises(InvalidRequest, match="cannot take 60 steps; use fewer"):
        NoiseSchedule(CONFIG).sampler(Scheduler.LCM, 60)


@pytest.mark.parametrize("kind", Scheduler)
def test_an_image_is_noised_as_diffusers_does_it(kind: Scheduler, latents: tuple[Tensor, Tensor]) -> None:
    """Before the first step of a walk that begins in the middle, and after it."""
    clean, noise = latents
    sampler = sampler_of(kind, CONFIGS["SD"], 6, made=4)
    for _ in range(2):
        scheduler = SCHEDULER_CLASSES[kind].from_config(CONFIGS["SD"])
        scheduler.set_timesteps(6)
        near = scheduler.timesteps[(scheduler.timesteps - sampler.timestep).abs().argmin()]
        # Half-way in a step some are at none of diffusers' timesteps.
        if near == sampler.timestep:
            expected = scheduler.scale_model_input(scheduler.add_noise(clean, noise, near[None]), near)
            ours = sampler.model_input(sampler.noised(clean, noise))
            torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-6)
        sampler.step(noise, sampler.noised(clean, noise), torch.Generator())


CONFIGS = {
    "SD": CONFIG | {"timestep_spacing": "leading", "steps_offset": 1, "clip_sample": False, "skip_prk_steps": True},
    "zero SNR": CONFIG
    | {"timestep_spacing": "trailing", "clip_sample": False, "rescale_betas_zero_snr": True}
    | {"prediction_type": "v_prediction"},
}
OWN = (Spacing.NORMAL, Spacing.TRAILING)
FLAGGED = (Spacing.KARRAS, Spacing.EXPONENTIAL)
"""Those that diffusers' schedulers have themselves."""

_SPACED = {
    kind: OWN if kind in {Scheduler.EULER_A, Scheduler.DDIM, Scheduler.PNDM} else (*OWN, *FLAGGED) for kind in DIFFUSERS
} | dict.fromkeys((Scheduler.LCM, Scheduler.TCD), (Spacing.NORMAL,))
_ALL = [(kind, spacing) for kind, spacings in _SPACED.items() for spacing in spacings]
# diffusers has neither zero terminal SNR nor a last step of DEIS' that starts from all the noise.
_PLAIN_TABLE = {Scheduler.HEUN, Scheduler.DEIS, Scheduler.PNDM}


def equals_diffusers(kind: Scheduler, spacing: Spacing, config: dict[str, Any], steps: int, made: int | None) -> None:
    scheduler = scheduler_of(kind, config, spacing)
    scheduler.set_timesteps(steps)

    ours = walked(sampler_of(kind, config, steps, spacing, made))

    assert distance(ours, walked_by_diffusers(scheduler, steps, made)) < 2e-5


@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize(("kind", "spacing"), _ALL)
def test_a_walk_is_that_of_diffusers(kind: Scheduler, spacing: Spacing) -> None:
    """From the same noise, in float32, all the way."""
    equals_diffusers(kind, spacing, CONFIGS["SD"], 5, None)


@pytest.mark.soak
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize(("kind", "spacing"), _ALL)
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "zero SNR"])
@pytest.mark.parametrize("steps", [1, 2, 4, 8, 20, 40, 50])
@pytest.mark.parametrize("share", [1.0, 0.7])
def test_every_walk_is_that_of_diffusers(
    kind: Scheduler, spacing: Spacing, prediction: str, steps: int, share: float
) -> None:
    """Every prediction and length, from noise and over an image."""
    zero = prediction == "zero SNR"
    if (zero and kind in _PLAIN_TABLE) or (kind is Scheduler.DEIS and steps == 1) or int(steps * share) == 0:
        return
    if kind is Scheduler.PNDM and share < 1:
        return  # diffusers leaves out its second call of the first step
    config = CONFIGS["zero SNR"] if zero else CONFIGS["SD"] | {"prediction_type": prediction}
    equals_diffusers(kind, spacing, config, steps, int(steps * share))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (Scheduler.UNIPC, {"disable_corrector": [0, 1]}),
        (Scheduler.UNIPC, {"lower_order_final": False, "final_sigmas_type": "sigma_min"}),
        (Scheduler.DEIS, {"lower_order_final": False}),
        (Scheduler.DPMPP_2M, {"lower_order_final": False, "final_sigmas_type": "sigma_min"}),
        (Scheduler.DPMPP_2M, {"euler_at_final": True, "final_sigmas_type": "sigma_min"}),
        (Scheduler.DPMPP_2M_SDE, {"euler_at_final": True, "final_sigmas_type": "sigma_min"}),
        (Scheduler.LCM, {"beta_schedule": "squaredcos_cap_v2"}),
        (Scheduler.TCD, {"beta_schedule": "squaredcos_cap_v2"}),
    ],
)
@pytest.mark.parametrize("steps", [7, 20])
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
def test_a_walk_does_what_its_config_says(kind: Scheduler, options: dict[str, Any], steps: int) -> None:
    """Of the options that our rules read themselves, and of noise that is strong beyond what solvers take."""
    config = CONFIGS["SD"] | options
    scheduler = scheduler_of(kind, config)
    scheduler.set_timesteps(steps)

    assert distance(walked(sampler_of(kind, config, steps)), walked_by_diffusers(scheduler, steps)) < 2e-5


def test_another_sampler_s_algorithm_is_no_hindrance() -> None:
    """A model may be made for the SDE of DPM++, which diffusers' DEIS refuses."""
    plain = walked(sampler_of(Scheduler.DEIS, CONFIGS["SD"], 5))

    config = CONFIGS["SD"] | {"algorithm_type": "sde-dpmsolver++"}

    assert torch.equal(walked(sampler_of(Scheduler.DEIS, config, 5)), plain)


@pytest.mark.parametrize("kind", [Scheduler.LCM, Scheduler.TCD])
@pytest.mark.parametrize("spacing", [Spacing.TRAILING, Spacing.SIMPLE])
def test_a_distilled_walk_takes_other_timesteps_as_diffusers_does(kind: Scheduler, spacing: Spacing) -> None:
    """Where they are whole numbers, which is all that it takes."""
    sampler = sampler_of(kind, CONFIGS["SD"], 4, spacing)
    scheduler = scheduler_of(kind, CONFIGS["SD"])
    scheduler.set_timesteps(timesteps=[999, 749, 499, 249])

    assert distance(walked(sampler), walked_by_diffusers(scheduler, 4)) < 1e-6


@pytest.mark.parametrize("kind", WALKS)
@pytest.mark.parametrize("spacing", Spacing)
def test_a_walk_is_what_the_papers_say(kind: Scheduler, spacing: Spacing) -> None:
    """In float64, for the samplers and the spacings that diffusers has not, from noise and over an image."""
    for prediction, made in (("epsilon", 6), ("v_prediction", 6), ("epsilon", 4)):
        config = CONFIGS["SD"] | {"prediction_type": prediction}
        ours = walked(sampler_of(kind, config, 6, spacing, made))

        assert distance(ours, walked_by_sigma(sampler_of(kind, config, 6, spacing, made))) < 2e-6


@pytest.mark.parametrize("kind", Scheduler)
def test_calls_are_counted_before_the_walk(kind: Scheduler) -> None:
    """What a queue reckons with is how often the denoiser is called; steps are counted as members count them."""
    for steps in (1, 2, 5):
        sampler = sampler_of(kind, CONFIGS["SD"], steps)
        seen = []
        while not sampler.finished:
            seen.append(sampler.progress)
            latents = torch.zeros(1, 4, 2, 2)
            sampler.step(latents, latents, torch.Generator())

        assert len(seen) == kind.calls(steps) == sampler.position[1]
        assert sorted(set(seen)) == list(range(steps))
        assert sampler.progress == steps


@pytest.mark.parametrize("kind", sorted(set(Scheduler) - {Scheduler.TCD, Scheduler.DEIS, Scheduler.PNDM}))
def test_a_walk_ends_without_noise(kind: Scheduler, latents: tuple[Tensor, Tensor]) -> None:
    """At its last guess of the image, whatever the number of steps and the config of the model."""
    schedule = NoiseSchedule(CONFIGS["SD"] | {"set_alpha_to_one": False, "prediction_type": "sample"})
    clean, noise = latents
    for steps in (1, 3, 7, 50):
        sampler = schedule.sampler(kind, steps)
        walked = noise * sampler.noise_scale
        while not sampler.finished:
            walked = sampler.step(clean, walked, torch.Generator())

        torch.testing.assert_close(walked, clean, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", Scheduler)
def test_a_walk_goes_on_from_its_history(kind: Scheduler) -> None:
    """To the bit, from after any call."""
    whole = sampler_of(kind, CONFIGS["SD"], 4, Spacing.KARRAS)
    generator = torch.Generator().manual_seed(0)
    latents = begun(whole, generator)
    kept = []
    while not whole.finished:
        kept.append((latents, generator.get_state(), *whole.history()))
        latents = whole.step(answer(whole.model_input(latents), float(whole.timestep)), latents, generator)

    for resumed, state, tensors, places in kept:
        sampler, again = sampler_of(kind, CONFIGS["SD"], 4, Spacing.KARRAS), torch.Generator()
        again.set_state(state)
        sampler.restore(tensors, places, torch.device("cpu"))
        end = resumed
        while not sampler.finished:
            end = sampler.step(answer(sampler.model_input(end), float(sampler.timestep)), end, again)

        assert torch.equal(end, latents)


def test_a_history_of_another_version_is_refused() -> None:
    """Its numbers are of other units."""
    sampler = sampler_of(Scheduler.DPMPP_2M, CONFIGS["SD"], 4)
    for tensors in ({}, {"model_outputs.0": torch.zeros(1)}):
        with pytest.raises(ValueError, match="another version"):
            sampler.restore(tensors, {"calls": 2, "_step_index": 2}, torch.device("cpu"))


@pytest.mark.parametrize("kind", Scheduler)
def test_a_last_step_of_no_length_stays(kind: Scheduler) -> None:
    """Where a config ends at the least noise, and Karras' spacing is there already."""
    config = CONFIGS["SD"] | {"final_sigmas_type": "sigma_min"}
    for steps in (1, 4, 20):
        assert walked(sampler_of(kind, config, steps, Spacing.KARRAS)).isfinite().all()
