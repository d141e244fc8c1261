"""The images of a mix of LoRAs and their sheet."""

from pathlib import Path

from PIL import Image

from handlers.images.grid import ScaleGrid
from pipeline.requests.image_request import LoraUse
from tests.fakes import images_opened_here, png, request


async def test_every_cell_is_labelled_and_in_its_place(tmp_path: Path) -> None:
    """Columns from left to right, rows from top to bottom, nothing of an image covered."""
    grid = ScaleGrid.of(request(loras=(LoraUse(key="k", name="a", scale=1), LoraUse(key="l", name="b", scale=2))))
    images = [request(seed=40 * number) for number in range(len(grid.images))]

    order = grid.sheet(tuple(tmp_path / f"{number}.png" for number in range(len(images))), tmp_path / "sheet.png")
    for source, image in zip(order.sources, images, strict=True):
        source.write_bytes(png(image))

    size = await images_opened_here().draw_sheet(order, ("guild", "ada"))

    sheet = Image.open(order.target)
    assert sheet.size == size

    # The second stops at the largest scale that there is, and no scale is shown twice.
    assert [use.scale for use in grid.rows] == [1.0, 2.0]
    colours = {(image.seed % 256, image.seed // 256, 0) for image in images}
    places = {
        colour: [
            (x, y) for y in range(sheet.height) for x in range(sheet.width) if sheet.getpixel((x, y)) == colour
        ]
        for colour in colours
    }  # fmt: skip
    assert all(len(place) == 64 for place in places.values())
    first = [min(places[image.seed % 256, image.seed // 256, 0]) for image in images]
    assert [x for x, _ in first[:3]] == [x for x, _ in first[3:]] == sorted(x for x, _ in first[:3])
    assert first[0][1] < first[3][1]
