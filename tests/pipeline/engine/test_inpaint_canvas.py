"""Image to image and inpainting: the latents of diffusers' own pipelines, and what stays of the start."""

import io
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    StableDiffusionImg2ImgPipeline,
    StableDiffusionInpaintPipeline,
    StableDiffusionXLImg2ImgPipeline,
    StableDiffusionXLInpaintPipeline,
)
from PIL import Image, ImageDraw
from torch import Tensor

from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.inpaint_canvas import Canvas, surroundings
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.images.outpaint import Direction, widened
from pipeline.requests.aspect_ratio import whole_size
from pipeline.requests.device_messages import Event, Refused, Rendered, Suspended
from pipeline.requests.image_request import ImageRequest, Scheduler
from pipeline.requests.start_image import StartImage
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.samplers.references import DIFFUSERS, eta_of, scheduler_of
from tests.pipeline.scene import IMAGES, SIZE, half_mask, png, scene

PIPELINES = {
    "pocket": (StableDiffusionXLImg2ImgPipeline, StableDiffusionXLInpaintPipeline),
    "sd15": (StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline),
}
# A clip, of DDIM's own guess of the image, magnifies rounding.
TOLERANCE = {scheduler: 1e-3 if scheduler is Scheduler.DDIM else 1e-4 for scheduler in Scheduler}


def mixed_requests() -> list[ImageRequest]:
    """Every scheduler as image to image and as inpainting, at several strengths, beside one from noise alone.

    But PNDM's: diffusers leaves out its second call of the first step where that is not the whole way's first.
    """
    requests = [a_request(seed=100, steps=3)]
    for seed, scheduler in enumerate(kind for kind in DIFFUSERS if kind is not Scheduler.PNDM):
        for mask, strength in ((None, (0.3, 0.8, 1.0)[seed % 3]), ("mask", (1.0, 0.6)[seed % 2])):
            start = StartImage(image="scene", strength=strength, mask=mask)
            guidance = (5.0, 1.0)[seed % 2]
            requests.append(
                a_request(seed=seed, scheduler=scheduler, steps=4 + seed % 2, start=start, guidance_scale=guidance)
            )
    return requests


def run_together(loaded_model: LoadedModel, requests: Sequence[ImageRequest], bucket: int) -> list[Tensor]:
    memory = loaded_model.denoiser.open(bucket, pages=0)
    everyone = [loaded_model.begin(request, (), images=IMAGES) for request in requests]
    free = iter(range(bucket))
    for rendering in everyone:
        loaded_model.denoiser.assign(memory, rendering, tuple(islice(free, rendering.conditioning.rows)))
    running: list[DenoisingState] = everyone
    while running := [rendering for rendering in running if not rendering.sampler.finished]:
        loaded_model.denoiser.advance(memory, running)
    return [rendering.latents for rendering in everyone]


def run_diffusers(pipelines: Sequence[Any], request: ImageRequest, config: Any) -> Tensor:
    assert request.start is not None
    pipeline = pipelines[request.start.mask is not None]
    pipeline.scheduler = scheduler_of(request.scheduler, config)
    mask = {} if request.start.mask is None else {"mask_image": half_mask(), "height": SIZE, "width": SIZE}
    latents: Tensor = pipeline(
        request.prompt,
        image=scene(),
        strength=request.start.strength,
        num_inference_steps=request.steps,
        guidance_scale=request.guidance_scale,
        generator=torch.Generator().manual_seed(request.seed),
        output_type="latent",
        **eta_of(request.scheduler),
        **mask,
    ).images
    return latents


# diffusers' DEIS takes logarithms of tensors by NumPy.
@pytest.mark.filterwarnings("ignore:__array_wrap__:DeprecationWarning")
@pytest.mark.parametrize("name", PIPELINES)
def test_latents_equal_those_of_diffusers(
    name: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """In one mixed batch with an image from noise, for every scheduler."""
    requests = mixed_requests()
    pipelines = [kind.from_pretrained(model_folder(name), dtype=torch.float32) for kind in PIPELINES[name]]
    for pipeline in pipelines:
        pipeline.set_progress_bar_config(disable=True)
    config = dict(pipelines[0].scheduler.config)

    ours = run_together(loaded_model(name), requests, bucket=64)

    for request, latents in zip(requests[1:], ours[1:], strict=True):
        expected = run_diffusers(pipelines, request, config)
        error = float((latents - expected).norm() / expected.norm())
        assert error < TOLERANCE[request.scheduler], f"{request}: {error:.1e}"


def test_neighbours_change_no_bit(loaded_model: Callable[[str], LoadedModel]) -> None:
    """For a fixed bucket."""
    requests = mixed_requests()[:9]
    together = run_together(loaded_model("pocket"), requests, bucket=16)

    for index in (0, 1, 4):
        alone = run_together(loaded_model("pocket"), [requests[index]], bucket=16)[0]

        assert torch.equal(alone, together[index])


def outcome(request: ImageRequest, images: dict[str, bytes] = IMAGES) -> Event:
    """The engine's last word."""
    engine = Engine(SPEC)
    engine.admit("a", request, images=images)
    events: list[Event] = []
    while not engine.idle:
        events += engine.step()
    return events[-1]


def rendered(request: ImageRequest, images: dict[str, bytes] = IMAGES) -> Image.Image:
    """The engine's image."""
    event = outcome(request, images)
    assert isinstance(event, Rendered), event
    return Image.open(io.BytesIO(event.png)).convert("RGB")


def test_what_the_mask_leaves_is_untouched() -> None:
    """To the last bit beyond its soft edge; inside it the image is another."""
    start = StartImage(image="scene", mask="mask", strength=1.0, feather=4)

    result = np.asarray(rendered(a_request(start=start)))

    expected = np.asarray(scene())
    assert np.array_equal(result[:, : SIZE // 2 - 8], expected[:, : SIZE // 2 - 8])
    assert np.abs(result[:, SIZE // 2 + 8 :].astype(int) - expected[:, SIZE // 2 + 8 :]).mean() > 10


def test_a_padded_mask_draws_its_surroundings_alone_into_the_whole_image() -> None:
    """Which keeps its own size."""
    whole = scene().resize((200, 160))
    mask = Image.new("L", whole.size, 0)
    ImageDraw.Draw(mask).rectangle((120, 60, 139, 79), fill=255)
    start = StartImage(image="whole", mask="mask", strength=1.0, feather=2, padding=10)

    result = rendered(a_request(start=start), {"whole": png(whole), "mask": png(mask)})

    changed = np.abs(np.asarray(result).astype(int) - np.asarray(whole)).sum(axis=2) > 0
    rows, columns = np.nonzero(changed)
    assert result.size == whole.size
    assert set(rows) <= set(range(50, 90))
    assert set(columns) <= set(range(110, 150))


@pytest.mark.parametrize("direction", Direction)
def test_outpainting_keeps_the_old_pixels(direction: Direction) -> None:
    """To the last bit, every one of them, also where the amount is no multiple of 8; far from them all is drawn."""
    canvas, mask = widened(scene().resize((70, 66)), direction, 90)
    start = StartImage(image="canvas", mask="mask", feather_inside=True)
    size = whole_size(*canvas.size)
    request = a_request(start=start, width=size[0], height=size[1])

    around = Canvas.of(request, {"canvas": png(canvas), "mask": png(mask)})

    assert around is not None
    result, kept = around.put_back(Image.new("RGB", size, "lime")), np.asarray(mask) == 0
    assert result.size == canvas.size
    assert np.array_equal(np.asarray(result)[kept], np.asarray(canvas)[kept])
    corner = (
        (1, 1) if direction in {Direction.LEFT, Direction.UP, Direction.ALL} else (canvas.width - 2, canvas.height - 2)
    )
    assert result.getpixel(corner) == (0, 255, 0)


def test_an_outpainted_image_is_drawn_around_the_old_one() -> None:
    """In the size of both together."""
    canvas, mask = widened(scene().resize((70, 66)), Direction.RIGHT, 45)
    start = StartImage(image="canvas", mask="mask", strength=1.0, feather_inside=True)
    width, height = whole_size(*canvas.size)

    result = rendered(a_request(start=start, width=width, height=height), {"canvas": png(canvas), "mask": png(mask)})

    new = np.asarray(mask) == 255
    difference = np.abs(np.asarray(result).astype(int) - np.asarray(canvas))
    assert result.size == canvas.size
    assert difference[~new].max() == 0
    assert difference[new].mean() > 5


@pytest.mark.parametrize(("size", "drawn"), [((75, 101), (80, 104)), ((200, 150), (128, 96)), ((150, 200), (96, 128))])
def test_an_image_comes_back_in_its_own_size(size: tuple[int, int], drawn: tuple[int, int]) -> None:
    """Also where it is no multiple of 8, or drawn smaller; with a mask what is outside it stays to the last bit."""
    whole, left = scene().resize(size), Image.new("L", size, 0)
    left.paste(255, (0, 0, size[0] // 2, size[1]))
    images = {"whole": png(whole), "left": png(left)}
    mask = StartImage(image="whole", mask="left", feather=4)
    over, part = (
        Canvas.of(a_request(start=start, width=drawn[0], height=drawn[1]), images)
        for start in (StartImage(image="whole"), mask)
    )
    assert over is not None
    assert part is not None

    same, masked = over.put_back(over.start), part.put_back(Image.new("RGB", drawn, "lime"))

    assert over.start.size == part.start.size == drawn
    assert same.size == masked.size == size
    difference = np.abs(np.asarray(same).astype(int) - np.asarray(whole))
    assert difference.mean() < 4
    assert (difference.max() == 0) == (drawn == whole_size(*size))
    beyond = slice(None), slice(size[0] // 2 + 8, None)
    assert np.array_equal(np.asarray(masked)[beyond], np.asarray(whole)[beyond])
    assert masked.getpixel((2, 2)) == (0, 255, 0)


def test_more_strength_goes_further_from_the_start() -> None:
    """Little of it stays close."""
    starts = [StartImage(image="scene", strength=strength) for strength in (0.2, 0.9)]

    results = [np.asarray(rendered(a_request(steps=10, start=start))).astype(int) for start in starts]

    near, far = (np.abs(result - np.asarray(scene())).mean() for result in results)
    assert near < 0.7 * far


def test_a_black_mask_is_refused() -> None:
    """Nothing would change."""
    start = StartImage(image="scene", mask="black")

    event = outcome(a_request(start=start), {**IMAGES, "black": png(Image.new("L", (SIZE, SIZE)))})

    assert isinstance(event, Refused)
    assert "black everywhere" in event.sentence


def test_a_strength_that_leaves_no_step_is_refused() -> None:
    """With the least that leaves one."""
    with pytest.raises(InvalidRequest, match=r"use 0\.05 or more"):
        a_request(steps=20, start=StartImage(image="scene", strength=0.04))


@pytest.mark.parametrize(
    ("marked", "padding", "expected"),
    [
        ((50, 50, 60, 60), 5, (45, 45, 65, 65)),
        ((0, 0, 10, 10), 5, (0, 0, 15, 15)),
        ((90, 40, 100, 60), 0, (80, 40, 100, 60)),
    ],
)
def test_surroundings_have_the_wanted_proportions(
    marked: tuple[int, int, int, int], padding: int, expected: tuple[int, int, int, int]
) -> None:
    """And stay inside the image."""
    assert surroundings(marked, padding, (64, 64), (100, 100)) == expected


@pytest.mark.parametrize("scheduler", [Scheduler.EULER_A, Scheduler.HEUN])
def test_an_interrupted_inpainting_goes_on_to_the_same_end(scheduler: Scheduler) -> None:
    """What is kept of the start is made again from the same seed."""
    start = StartImage(image="scene", mask="mask", strength=0.8)
    request = a_request(steps=5, scheduler=scheduler, start=start, guidance_scale=1, bucket=2)
    undisturbed = rendered(request)
    engine = Engine(SPEC)
    engine.admit("a", request, images=IMAGES)
    engine.step()
    engine.step()
    engine.suspend("a")
    events: list[Event] = []
    while not engine.idle:
        events += engine.step()
    aside = events.pop()
    assert isinstance(aside, Suspended)

    engine.admit("a", request, aside.snapshot, IMAGES)
    while not engine.idle:
        events += engine.step()

    assert isinstance(events[-1], Rendered)
    assert Image.open(io.BytesIO(events[-1].png)).tobytes() == undisturbed.tobytes()
