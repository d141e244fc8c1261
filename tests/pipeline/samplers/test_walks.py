"""Walks that are taken further together are those that diffusers takes one by one."""

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from pipeline.requests.image_request import Scheduler
from pipeline.samplers.noise_schedule import NoiseSchedule
from pipeline.samplers.sampler import Sampler
from pipeline.samplers.walks import Walks
from tests.pipeline.samplers.settings import CONFIG

KINDS = (Scheduler.EULER, *reversed(Scheduler), Scheduler.EULER_A)
CALLS = 4


def samplers(prediction: str) -> list[Sampler]:
    """Each at another place of a walk of another length; one begins in the middle."""
    schedule = NoiseSchedule(CONFIG | {"prediction_type": prediction})
    return [schedule.sampler(kind, 6 + place, made=5 + place % 2) for place, kind in enumerate(KINDS)]


def random(count: int, seed: int) -> Tensor:
    return torch.randn(count, 4, 8, 8, generator=torch.Generator().manual_seed(seed))


def walk_together(own: Sequence[Sampler]) -> list[list[Tensor]]:
    """Model inputs and latents of every walk after each call."""
    latents = list(torch.split(random(len(own), 0), 1))
    generators = [torch.Generator().manual_seed(place) for place in range(len(own))]
    seen = []
    for call in range(CALLS):
        walks = Walks(own, latents)
        inputs = walks.model_inputs()
        latents = moved(walks, random(len(own), 1 + call), generators)
        seen.append([*inputs, *latents])
    return seen


def moved(walks: Walks, predictions: Tensor, generators: Sequence[torch.Generator]) -> list[Tensor]:
    """The latents of walks none of which fails."""
    latents = walks.step(predictions, generators)
    return [each for each in latents if not isinstance(each, Exception)]


def walk_alone(own: Sequence[Sampler]) -> list[list[Tensor]]:
    """The same by diffusers' own steps."""
    latents = list(torch.split(random(len(own), 0), 1))
    generators = [torch.Generator().manual_seed(place) for place in range(len(own))]
    seen = []
    for call in range(CALLS):
        predictions = torch.split(random(len(own), 1 + call), 1)
        inputs = [each.model_input(latents[place]) for place, each in enumerate(own)]
        latents = [each.step(predictions[place], latents[place], generators[place]) for place, each in enumerate(own)]
        seen.append([*inputs, *latents])
    return seen


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_together_they_are_to_the_bit_what_they_are_alone(prediction: str) -> None:
    """Whatever kinds, lengths and places meet in a call; what each remembers is the same too."""
    theirs, ours = samplers(prediction), samplers(prediction)

    for alone, together in zip(walk_alone(theirs), walk_together(ours), strict=True):
        for expected, own in zip(alone, together, strict=True):
            assert torch.equal(own, expected)
    for expected_walk, walk in zip(theirs, ours, strict=True):
        assert walk.history()[1] == expected_walk.history()[1]
        assert walk.position == expected_walk.position


def test_a_kind_that_answers_with_the_image_itself_is_left_to_diffusers() -> None:
    """Its rule is another one."""
    schedule = NoiseSchedule(CONFIG | {"prediction_type": "sample"})
    sampler = schedule.sampler(Scheduler.EULER, 3)
    image = random(1, 5)

    latents = random(1, 0)
    while not sampler.finished:
        (latents,) = moved(Walks([sampler], [latents]), image, [torch.Generator()])

    torch.testing.assert_close(latents, image)


def test_a_walk_that_fails_holds_up_no_other() -> None:
    """One that is at its end cannot go on; those beside it, of its own kind and of others, go on as without it."""
    schedule = NoiseSchedule(CONFIG)
    kinds = (Scheduler.UNIPC, Scheduler.UNIPC, Scheduler.EULER)
    own, beside = ([schedule.sampler(kind, 3) for kind in kinds] for _ in range(2))
    latents, predictions, generators = list(torch.split(random(3, 0), 1)), random(3, 1), [torch.Generator()] * 3
    while not own[0].finished:
        own[0].step(predictions[:1], latents[0], generators[0])

    ended, *others = Walks(own, latents).step(predictions, generators)

    assert isinstance(ended, Exception)
    expected = moved(Walks(beside[1:], latents[1:]), predictions[1:], generators[1:])
    assert all(isinstance(each, Tensor) and torch.equal(each, own) for each, own in zip(others, expected, strict=True))
