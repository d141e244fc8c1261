"""What becomes of the images that a member hands over: used, rejected with a reason, or refused in a sentence."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from pipeline.errors import InvalidRequest
from pipeline.training import dataset
from pipeline.training.dataset import Examined, HandedFile, contact_sheet, examined, read_files, unpacked

SIDE = 128


def png(image: Image.Image, name: str = "a.png") -> HandedFile:
    file = io.BytesIO()
    image.save(file, "PNG")
    return HandedFile(name=name, data=file.getvalue())


def drawing(seed: int, size: tuple[int, int] = (200, 160)) -> Image.Image:
    """Patches of colour with sharp edges."""
    patches = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    return Image.fromarray(patches).resize(size, Image.Resampling.NEAREST)


def zipped(files: list[HandedFile]) -> HandedFile:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for one in files:
            archive.writestr(one.name, one.data)
    return HandedFile(name="pictures.zip", data=file.getvalue())


def judged(*files: HandedFile) -> list[Examined]:
    return examined(files, lambda width, height: (SIDE, SIDE) if width <= height else (160, 96), smallest=64)


def test_each_is_used_or_has_its_reason() -> None:
    blurred = drawing(1).filter(ImageFilter.GaussianBlur(30))
    results = judged(
        png(drawing(1)),
        png(drawing(1).rotate(0.5)),
        png(blurred),
        png(drawing(2, (60, 300))),
        HandedFile(name="x", data=b"GIF?"),
        png(drawing(3)),
    )
    assert [one.reason.partition(",")[0] for one in results] == [
        "", "nearly the same as 1", "blurred", "too small", "not a picture that can be read", "",
    ]  # fmt: skip
    assert [one.image.size for one in results if one.image and one.is_used] == [(160, 96), (160, 96)]


def test_transparency_stays_for_the_mask() -> None:
    image = drawing(1)
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    (result,) = judged(png(image))
    assert result.image is not None
    assert result.image.mode == "RGBA"


def test_a_zip_stands_for_its_images() -> None:
    files = [png(drawing(seed), f"folder/{seed}.png") for seed in range(4)]
    hidden = HandedFile(name="__MACOSX/folder/._0.png", data=b"rubbish")
    found = unpacked([zipped([*files, hidden]), png(drawing(9), "one more.png")])
    assert [one.name for one in found] == ["0.png", "1.png", "2.png", "3.png", "one more.png"]
    assert found[2].data == files[2].data


def test_what_is_too_much_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="50 pictures; choose the best 20"):
        unpacked([png(drawing(1))] * 50)
    with pytest.raises(InvalidRequest, match="holds 21 files"):
        unpacked([zipped([HandedFile(name=f"{number}.png", data=b"") for number in range(21)])])
    monkeypatch.setattr(dataset, "MAX_UNPACKED", 2**20)
    (tmp_path / "large").write_bytes(bytes(2**20 + 1))
    with pytest.raises(InvalidRequest, match="more than 1 MB of pictures"):
        read_files([("a.png", tmp_path / "large")])
    with pytest.raises(InvalidRequest, match="unpacks to more than 1 MB"):
        unpacked([zipped([HandedFile(name="bomb.png", data=bytes(2**21))])])
    with pytest.raises(InvalidRequest, match="unpacks to more than 1 MB"):
        unpacked([zipped([HandedFile(name="half a bomb.png", data=bytes(2**20 - 1))])] * 2)


def test_a_damaged_zip_is_refused() -> None:
    whole = zipped([png(drawing(1))])
    broken = bytearray(whole.data)
    broken[40:80] = bytes(40)
    with pytest.raises(InvalidRequest, match="cannot be read"):
        unpacked([HandedFile(name="z.zip", data=bytes(broken))])


def test_the_sheet_shows_every_image(tmp_path: Path) -> None:
    results = judged(*(png(drawing(seed)) for seed in range(6)), HandedFile(name="x", data=b""))
    with Image.open(io.BytesIO(contact_sheet(results))) as sheet:
        sheet.save(tmp_path / "sheet.png")
        assert sheet.width > 5 * 160
        assert sheet.height > 2 * 160
