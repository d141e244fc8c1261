"""One image and one mask, drawn: what tests begin with, keep and paint over."""

import io

from PIL import Image, ImageDraw

SIZE = 64


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def scene() -> Image.Image:
    """A red disc on a blue ramp."""
    image = Image.linear_gradient("L").resize((SIZE, SIZE)).convert("RGB")
    image = Image.blend(image, Image.new("RGB", image.size, "navy"), 0.5)
    ImageDraw.Draw(image).ellipse((12, 16, 44, 48), fill="red")
    return image


def half_mask() -> Image.Image:
    """White on the right."""
    mask = Image.new("L", (SIZE, SIZE), 0)
    ImageDraw.Draw(mask).rectangle((SIZE // 2, 0, SIZE, SIZE), fill=255)
    return mask


IMAGES = {"scene": png(scene()), "mask": png(half_mask())}
