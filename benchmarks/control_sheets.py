"""Makes the images of docs/control.md again: `python -m benchmarks.control_sheets`."""

import io
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks.control_inputs import SIDE, encoded, inked_apple, printed_code, scribbled_cat, tilted
from benchmarks.image_guidance import rendered
from pipeline.control.annotators import control_map
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.image_request import ImageRequest
from pipeline.requests.start_image import StartImage

IMAGES = Path("docs/images")
GAP = 6
FOX = ImageRequest(
    prompt="red fox, glossy style, teal background",
    width=SIDE,
    height=SIDE,
    steps=20,
    guidance_scale=4.0,
    seed=7,
    model="pocket",
)
PLAIN_FOX = "red fox, flat style, purple background"
NETS = {
    ControlKind.EDGE: ("wolf, flat style, pink background", "cat, cartoon style, yellow background", PLAIN_FOX),
    ControlKind.SCRIBBLE: ("cat, flat style, orange background", "panda, glossy style, green background", PLAIN_FOX),
    ControlKind.LINEART: (
        "green apple, flat style, orange background",
        "tomato, flat style, green background",
        "red apple, glossy style, teal background",
    ),
    ControlKind.SOFTEDGE: (
        "panda, flat style, orange background",
        "koala, glossy style, pink background",
        "lion, cartoon style, teal background",
    ),
    ControlKind.TILE: (
        "bear, cartoon style, green background",
        "bear, glossy style, green background",
        "koala, flat style, green background",
    ),
    ControlKind.COLOR: (
        "bear, cartoon style, green background",
        "hamster, flat style, green background",
        "lion, glossy style, green background",
    ),
    ControlKind.LUMINANCE: (
        "bear, glossy style, pink background",
        "panda, flat style, teal background",
        "lion, cartoon style, orange background",
    ),
    ControlKind.QR: (
        "waffle, flat style, teal background",
        "chocolate bar, cartoon style, yellow background",
        "couch, glossy style, pink background",
    ),
}
"""What is asked for with each kind that pocket's own net reads."""


def main() -> None:
    """Draw them all; none of a kind whose map takes a model that is not among pocket's own."""
    fox, bear = rendered([FOX, replace(FOX, prompt="bear, cartoon style, green background")])
    inputs = {
        ControlKind.EDGE: tilted(_image(fox)),
        ControlKind.SCRIBBLE: scribbled_cat(),
        ControlKind.LINEART: inked_apple(),
        ControlKind.QR: printed_code("limner"),
    }
    (IMAGES / "control").mkdir(exist_ok=True)
    for kind, prompts in NETS.items():
        sheet([_kept_row(inputs.get(kind, _image(bear)), kind, prompts)], IMAGES / "control" / f"{kind}.png")
    sheet([_edit_row(fox)], IMAGES / "edit.png")


def sheet(rows: list[list[Image.Image]], path: Path) -> None:
    """Rows of images, with a little white between them."""
    step = SIDE + GAP
    whole = Image.new("RGB", (step * max(map(len, rows)) - GAP, step * len(rows) - GAP), "white")
    for down, row in enumerate(rows):
        for across, image in enumerate(row):
            whole.paste(image.resize((SIDE, SIDE)), (across * step, down * step))
    whole.save(path)


def _kept_row(image: Image.Image, kind: ControlKind, prompts: tuple[str, ...]) -> list[Image.Image]:
    """The image, its map, and the images that follow it."""
    use = ControlUse(kind=kind, image="drawing")
    asked = [replace(FOX, prompt=prompt, controls=(use,)) for prompt in prompts]
    kept = rendered(asked, [encoded(image)] * len(asked))
    return [image, control_map(kind, image), *map(_image, kept)]


def _edit_row(fox: bytes) -> list[Image.Image]:
    """The image, drawn over at three strengths, then a mask and what is drawn under it."""
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((0, 0, SIDE, 50), fill=255)
    asked = [
        replace(FOX, prompt="penguin, glossy style, teal background", start=StartImage(image="drawing", strength=part))
        for part in (0.1, 0.2, 0.4)
    ]
    under = StartImage(image="drawing", mask="mask", strength=1.0)
    asked.append(replace(FOX, prompt="golden crown, glossy style, teal background", start=under))
    *over, redrawn = map(_image, rendered(asked, [fox] * len(asked), mask=encoded(mask)))
    return [_image(fox), *over, mask.convert("RGB"), redrawn]


def _image(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


if __name__ == "__main__":
    main()
