"""The pictures of docs/control.md, made anew: `python -m benchmarks.picture_sheets`."""

import io
from dataclasses import replace
from pathlib import Path

from PIL import Image, ImageDraw

from benchmarks.over_pictures import rendered
from pipeline.annotators import control_map
from pipeline.control_kind import ControlKind
from pipeline.control_use import ControlUse
from pipeline.image_request import ImageRequest
from pipeline.start_image import StartImage

IMAGES = Path("docs/images")
SIDE, GAP = 128, 6
FOX = ImageRequest(
    prompt="red fox, glossy style, teal background",
    width=SIDE,
    height=SIDE,
    steps=20,
    guidance_scale=4.0,
    seed=7,
    model="pocket",
)
KINDS = (ControlKind.EDGE, ControlKind.SCRIBBLE, ControlKind.LINEART)
OTHERS = (
    "cat, flat style, pink background",
    "robot, glossy style, white background",
    "tiger, cartoon style, green background",
)


def main() -> None:
    """Draw both sheets."""
    (fox,) = rendered([FOX])
    sheet([row for kind in KINDS for row in [_control_row(fox, kind)]], IMAGES / "control.png")
    sheet([_edit_row(fox)], IMAGES / "edit.png")


def sheet(rows: list[list[Image.Image]], path: Path) -> None:
    """Rows of pictures, with a little white between them."""
    step = SIDE + GAP
    whole = Image.new("RGB", (step * max(map(len, rows)) - GAP, step * len(rows) - GAP), "white")
    for down, row in enumerate(rows):
        for across, picture in enumerate(row):
            whole.paste(picture.resize((SIDE, SIDE)), (across * step, down * step))
    whole.save(path)


def _control_row(fox: bytes, kind: ControlKind) -> list[Image.Image]:
    """The picture, its map, and three that keep it."""
    asked = [replace(FOX, prompt=prompt, controls=(ControlUse(kind=kind, picture="drawing"),)) for prompt in OTHERS]
    return [_picture(fox), control_map(kind, _picture(fox)), *map(_picture, rendered(asked, [fox] * len(asked)))]


def _edit_row(fox: bytes) -> list[Image.Image]:
    """The picture, drawn over at three strengths, a mask and what is drawn under it."""
    mask = Image.new("L", (SIDE, SIDE))
    ImageDraw.Draw(mask).rectangle((0, 0, SIDE, 50), fill=255)
    file = io.BytesIO()
    mask.save(file, "PNG")
    asked = [
        replace(
            FOX, prompt="penguin, glossy style, teal background", start=StartImage(picture="drawing", strength=part)
        )
        for part in (0.1, 0.2, 0.4)
    ]
    under = StartImage(picture="drawing", mask="mask", strength=1.0)
    asked.append(replace(FOX, prompt="golden crown, glossy style, teal background", start=under))
    *over, redrawn = map(_picture, rendered(asked, [fox] * len(asked), mask=file.getvalue()))
    return [_picture(fox), *over, mask.convert("RGB"), redrawn]


def _picture(png: bytes) -> Image.Image:
    return Image.open(io.BytesIO(png)).convert("RGB")


if __name__ == "__main__":
    main()
