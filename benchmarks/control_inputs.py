"""The images that docs/control.md gives to /control: a tilted image, a scribble, an ink drawing, a printed QR code."""

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 128
# Drawn so many times larger and then reduced, so that lines are smooth.
FINE = 4


def tilted(image: Image.Image, degrees: float = 20) -> Image.Image:
    """The image rotated: an image that keeps this outline is tilted, as none of the model's own is."""
    behind = image.getpixel((2, 2))
    return image.rotate(degrees, Image.Resampling.BICUBIC, fillcolor=behind)


def scribbled_cat() -> Image.Image:
    """A cat's head in a few rough strokes."""
    paper, pen = _paper()
    outline = [(30, 68), (27, 24), (48, 42), (66, 39), (83, 44), (104, 22), (101, 66), (92, 96), (64, 108), (36, 95)]
    for stroke in (
        [*outline, (29, 62)],
        [(47, 62), (50, 70)],
        [(80, 61), (83, 69)],
        [(59, 80), (70, 79), (64, 86), (59, 80)],
        [(64, 86), (54, 94)],
        [(64, 86), (75, 93)],
    ):
        pen.line([(x * FINE, y * FINE) for x, y in stroke], fill="black", width=4 * FINE, joint="curve")
    return _small(paper)


def inked_apple() -> Image.Image:
    """An apple's outline with its stalk and a leaf."""
    paper, pen = _paper()
    for left, right in ((28, 84), (52, 108)):
        pen.ellipse(_scaled(left, 40, right, 112), outline="black", width=3 * FINE)
    pen.ellipse(_scaled(45, 45, 91, 108), fill="white")
    pen.arc(_scaled(62, 14, 92, 56), 180, 250, fill="black", width=3 * FINE)
    pen.ellipse(_scaled(70, 16, 100, 32), outline="black", width=3 * FINE)
    return _small(paper)


def printed_code(text: str) -> Image.Image:
    """`text` as a QR code in brown on yellowed paper, darker to the right and a little out of focus."""
    code = cv2.QRCodeEncoder.create().encode(text)
    modules = np.pad(code, 2, constant_values=255)
    dark = np.asarray(Image.fromarray(modules).resize((SIDE, SIDE), Image.Resampling.NEAREST))[..., None] < 128
    light = np.linspace(1.0, 0.75, SIDE)[None, :, None]
    levels = np.where(dark, (90, 50, 40), (250, 235, 190)) * light
    return Image.fromarray(levels.astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))


def encoded(image: Image.Image) -> bytes:
    """Its PNG."""
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def _paper() -> tuple[Image.Image, ImageDraw.ImageDraw]:
    paper = Image.new("RGB", (SIDE * FINE, SIDE * FINE), "white")
    return paper, ImageDraw.Draw(paper)


def _scaled(*box: int) -> tuple[int, ...]:
    return tuple(length * FINE for length in box)


def _small(paper: Image.Image) -> Image.Image:
    return paper.resize((SIDE, SIDE), Image.Resampling.LANCZOS)
