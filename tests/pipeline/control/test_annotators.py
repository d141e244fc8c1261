"""Control maps that need no model."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from pipeline.control.annotators import ANNOTATORS, control_map
from pipeline.requests.control import ControlKind


def square(inside: int, outside: int, size: tuple[int, int] = (96, 80)) -> Image.Image:
    """A square from (24, 24) to (55, 55)."""
    image = Image.new("RGB", size, (outside,) * 3)
    ImageDraw.Draw(image).rectangle((24, 24, 55, 55), fill=(inside,) * 3)
    return image


def scene() -> Image.Image:
    image = Image.radial_gradient("L").resize((96, 80)).convert("RGB")
    ImageDraw.Draw(image).line((10, 10, 80, 60), fill="red", width=3)
    return image


def lit(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L")) > 127


@pytest.mark.parametrize(("inside", "outside"), [(255, 0), (0, 255), (40, 10), (250, 215)])
def test_edges_lie_on_the_border(inside: int, outside: int) -> None:
    """Within a pixel, all the way round, in strong contrast, in a dark image and in a bright one."""
    rows, columns = np.nonzero(lit(control_map(ControlKind.EDGE, square(inside, outside))))

    distance = np.minimum.reduce([np.abs(rows - 24), np.abs(rows - 55), np.abs(columns - 24), np.abs(columns - 55)])
    assert len(rows) >= 4 * 28
    assert distance.max() <= 1


@pytest.mark.parametrize("kind", [ControlKind.SCRIBBLE, ControlKind.LINEART])
@pytest.mark.parametrize(
    ("side", "width", "ink"),
    [(64, 4, "black"), (128, 4, "black"), (128, 6, "navy"), (256, 12, "black"), (768, 4, "black")],
)
def test_a_stroke_stays_one_stroke(kind: ControlKind, side: int, width: int, ink: str) -> None:
    """Filled and as wide as it was, straight, slanted or bent, on a small image and on a large one."""
    stroke = Image.new("RGB", (side, side), "white")
    pen = ImageDraw.Draw(stroke)
    pen.line((side // 4, side // 8, side // 4, side * 3 // 4, side * 3 // 4, side * 7 // 8), ink, width, "curve")
    pen.arc((side // 2, side // 8, side * 7 // 8, side // 2), 0, 270, ink, width)
    drawn = np.asarray(stroke.convert("L")) < 128

    found = lit(control_map(kind, stroke))

    missing, beyond = (drawn & ~found).sum(), (found & ~drawn).sum()
    assert missing == 0
    assert beyond < 0.35 * drawn.sum()


@pytest.mark.parametrize("kind", [ControlKind.SCRIBBLE, ControlKind.LINEART])
@pytest.mark.parametrize("width", [1, 4, 8])
def test_chalk_is_as_ink(kind: ControlKind, width: int) -> None:
    """A drawing in white on black has the map of the same one in black on white."""
    board = Image.new("RGB", (128, 128), "black")
    pen = ImageDraw.Draw(board)
    pen.line((20, 20, 100, 90), "white", width)
    pen.arc((20, 40, 90, 110), 0, 270, "white", width)

    chalk, ink = control_map(kind, board), control_map(kind, ImageOps.invert(board))

    assert chalk.tobytes() == ink.tobytes()


def test_a_photograph_at_night_is_not_turned() -> None:
    """Its lamps have glows: levels between black and white."""
    night = ImageOps.invert(Image.radial_gradient("L")).point(lambda level: max(0, level - 60)).convert("RGB")
    ImageDraw.Draw(night).line((100, 128, 156, 128), "black", 3)

    found = lit(control_map(ControlKind.SCRIBBLE, night))

    assert found[128, 110:146].all()


def test_a_red_stroke_is_a_stroke() -> None:
    """As it is for anyone who drew it, though one channel does not see it."""
    stroke = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(stroke).line((20, 20, 100, 90), "red", 8)

    found = lit(control_map(ControlKind.SCRIBBLE, stroke))

    assert not (np.all(np.asarray(stroke) == (255, 0, 0), axis=2) & ~found).any()


@pytest.mark.parametrize("kind", [ControlKind.EDGE, ControlKind.SCRIBBLE, ControlKind.LINEART, ControlKind.SOFTEDGE])
def test_a_blank_image_has_no_lines(kind: ControlKind) -> None:
    """Whatever its colour."""
    for level in (0, 128, 255):
        assert not lit(control_map(kind, Image.new("RGB", (96, 80), (level,) * 3))).any()


@pytest.mark.parametrize("kind", [ControlKind.EDGE, ControlKind.SCRIBBLE, ControlKind.LINEART, ControlKind.SOFTEDGE])
def test_more_detail_gives_more_lines(kind: ControlKind) -> None:
    """And less gives fewer."""
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(60, 190, (24, 24, 3), dtype=np.uint8)).resize((96, 96))

    few, usual, many = (lit(control_map(kind, noise, detail)).sum() for detail in (-2.0, 0.0, 2.0))

    assert few < usual < many


@pytest.mark.parametrize("kind", [ControlKind.SCRIBBLE, ControlKind.LINEART])
def test_a_dark_stroke_becomes_a_light_line(kind: ControlKind) -> None:
    """Where it was."""
    drawing = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(drawing).line((20, 64, 108, 64), fill="black", width=2)

    lines = lit(control_map(kind, drawing))

    assert lines[63:66, 30:100].any(axis=0).all()
    assert not lines[:50].any()
    assert not lines[80:].any()


@pytest.mark.parametrize(("inside", "outside"), [(255, 0), (0, 255), (60, 10)])
def test_soft_edges_are_brightest_on_the_border_and_fade_away_from_it(inside: int, outside: int) -> None:
    """Wider than a sharp edge, and gone in the middle of a surface."""
    large = square(inside, outside).resize((384, 320), Image.Resampling.NEAREST)
    row = np.asarray(control_map(ControlKind.SOFTEDGE, large).convert("L"))[160].astype(int)

    assert abs(int(row[:160].argmax()) - 96) <= 1
    assert row[96] > row[98] > row[102]
    assert row[96] > 200
    assert row[98] > 20
    assert max(row[160], row[20]) < 5


@pytest.mark.parametrize("colours", [((0, 0, 0), (255, 255, 255)), ((70, 20, 90), (250, 200, 120))])
def test_a_qr_code_can_still_be_read(colours: tuple[tuple[int, int, int], tuple[int, int, int]]) -> None:
    """From an image with noise, in any two colours of which one is darker; in black and white alone."""
    code = cv2.QRCodeEncoder.create().encode("https://example.org/limner")
    large = np.asarray(Image.fromarray(code).resize((256, 256), Image.Resampling.NEAREST)) > 127
    noise = np.random.default_rng(0).normal(0, 12, (256, 256, 3))
    photo = np.where(large[..., None], colours[1], colours[0]) + noise

    drawn = np.asarray(control_map(ControlKind.QR, Image.fromarray(photo.clip(0, 255).astype(np.uint8))))

    assert set(np.unique(drawn)) == {0, 255}
    text, *_ = cv2.QRCodeDetector().detectAndDecode(
        cv2.copyMakeBorder(drawn, *(32,) * 4, cv2.BORDER_CONSTANT, None, (255,) * 3)
    )
    assert text == "https://example.org/limner"


def test_tiles_and_colours_keep_local_means() -> None:
    """A patch is as bright as what it stands for."""
    image = scene()
    for kind in (ControlKind.TILE, ControlKind.COLOR):
        patches = np.asarray(control_map(kind, image)).astype(float)
        for rows, columns in ((slice(0, 40), slice(0, 48)), (slice(40, 80), slice(48, 96))):
            assert abs(patches[rows, columns].mean() - np.asarray(image)[rows, columns].mean()) < 8


def test_luminance_is_grey() -> None:
    """With the image's own light."""
    levels = np.asarray(control_map(ControlKind.LUMINANCE, scene()))

    assert np.array_equal(levels[..., 0], levels[..., 2])
    assert np.array_equal(levels[..., 0], np.asarray(scene().convert("L")))


@pytest.mark.parametrize("kind", ANNOTATORS)
def test_a_map_has_the_size_of_its_image_and_is_the_same_every_time(kind: ControlKind) -> None:
    """And leaves the image as it was."""
    image = scene()

    first, second = control_map(kind, image), control_map(kind, image)

    assert first.size == image.size
    assert first.mode == "RGB"
    assert first.tobytes() == second.tobytes()
    assert image.tobytes() == scene().tobytes()


def test_every_kind_says_what_it_keeps() -> None:
    """For help."""
    assert len({kind.keeps for kind in ControlKind}) == len(ControlKind)
