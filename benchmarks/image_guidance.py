"""What controls, starts and masks do to pocket's images: `python -m benchmarks.image_guidance`, over 200 of them.

Every figure comes from the engine itself: an image from noise, then the same words with the edges of a drawing, over an
image at two strengths, and under a mask. The drawings are pocket's own images of the same words and another seed,
mirrored, rotated, reduced and moved.
"""

import io
import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from pipeline.control.annotators import control_map
from pipeline.engine.engine import Engine
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import Faulted, Refused, Rendered
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import StartImage
from recipes.pocket.control_evaluation import f1

PAIRS = 200
SIDE = 128
WORDS = (
    ("red fox", "red apple", "penguin", "rocket", "pizza", "red car", "cat", "robot", "house", "guitar", "snowman"),
    ("glossy", "flat", "cartoon"),
    ("teal", "blue", "orange", "purple", "green", "yellow", "pink", "gray", "white", "red"),
)
FEATHER = 8


def main() -> None:
    """Print the table."""
    dice = random.Random(0)  # noqa: S311  the same prompts every time
    plain = [_request(dice, seed) for seed in range(PAIRS)]
    drawings = [_moved(drawn, dice) for drawn in rendered(replace(one, seed=10_000 + one.seed) for one in plain)]
    print("| over 200 images of pocket | measured | wanted |\n|---|---|---|")
    _controls(plain, drawings)
    _strengths(plain, drawings)
    _masks(plain, drawings)


def _controls(plain: list[ImageRequest], drawings: list[bytes]) -> None:
    edges = ControlUse(kind=ControlKind.EDGE, image="drawing")
    wanted = [_edges(drawing) for drawing in drawings]
    for uses, words, limit in (((edges,), "with control", "at least 0.6"), ((), "without", "at most 0.25")):
        results = rendered((replace(one, controls=uses) for one in plain), drawings)
        scores = [f1(lines, _edges(result)) for lines, result in zip(wanted, results, strict=True)]
        print(f"| F1 of outlines against the map, {words} | {np.mean(scores):.2f} | {limit} |", flush=True)


def _strengths(plain: list[ImageRequest], drawings: list[bytes]) -> None:
    distances = []
    for strength in (0.2, 0.8):
        start = StartImage(image="drawing", strength=strength)
        results = rendered((replace(one, start=start) for one in plain), drawings)
        distances.append([_distance(*pair) for pair in zip(results, drawings, strict=True)])
    closer = np.mean([near < far for near, far in zip(*distances, strict=True)])
    print(f"| strength 0.2 is closer to the start than 0.8 | {closer:.1%} | at least 95 % |", flush=True)


def _masks(plain: list[ImageRequest], drawings: list[bytes]) -> None:
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((SIDE // 2, 0, SIDE, SIDE), fill=255)
    start = StartImage(image="drawing", mask="mask", strength=1.0, feather=FEATHER)
    file = io.BytesIO()
    mask.save(file, "PNG")
    results = rendered((replace(one, start=start) for one in plain), drawings, mask=file.getvalue())
    kept = slice(None), slice(0, SIDE // 2 - 2 * FEATHER)
    most = max(
        int(np.abs(_levels(one)[kept] - _levels(other)[kept]).max())
        for one, other in zip(results, drawings, strict=True)
    )
    print(
        f"| largest change of a level outside the mask and its soft edge | {most} | the VAE's own error |", flush=True
    )


def rendered(
    requests: Iterable[ImageRequest],
    drawings: list[bytes] | None = None,
    loras: Path | None = None,
    **images: bytes,
) -> Iterator[bytes]:
    """The engine's images, in the order of `requests`; each may use `loras`, and the drawing at its index."""
    engine = Engine(DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=0, loras=loras))
    asked = list(requests)
    for number, request in enumerate(asked):
        handed = {"drawing": drawings[number]} if drawings else {}
        engine.admit(str(number), request, images={**handed, **images})
    done: dict[str, bytes] = {}
    while not engine.idle:
        for event in engine.step():
            assert not isinstance(event, Refused | Faulted), event
            if isinstance(event, Rendered):
                done[event.ticket] = event.png
    return (done[str(number)] for number in range(len(asked)))


def _request(dice: random.Random, seed: int) -> ImageRequest:
    thing, style, colour = (dice.choice(words) for words in WORDS)
    return ImageRequest(
        prompt=f"{thing}, {style} style, {colour} background",
        width=SIDE,
        height=SIDE,
        steps=20,
        guidance_scale=4.0,
        seed=seed,
        model="pocket",
    )


def _moved(png: bytes, dice: random.Random) -> bytes:
    image = Image.open(io.BytesIO(png)).convert("RGB")
    behind = image.getpixel((2, 2))
    small = ImageOps.mirror(image).resize((round(SIDE * dice.uniform(0.6, 1)),) * 2)
    whole = Image.new("RGB", image.size, behind)
    whole.paste(small, (dice.randint(0, SIDE - small.width), dice.randint(0, SIDE - small.height)))
    file = io.BytesIO()
    whole.rotate(dice.uniform(-25, 25), fillcolor=behind).save(file, "PNG")
    return file.getvalue()


def _edges(png: bytes) -> Image.Image:
    return control_map(ControlKind.EDGE, Image.open(io.BytesIO(png)).convert("RGB"))


def _distance(one: bytes, other: bytes) -> float:
    return float(np.sqrt(((_levels(one) - _levels(other)) ** 2).mean()))


def _levels(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB")).astype(float)


if __name__ == "__main__":
    main()
