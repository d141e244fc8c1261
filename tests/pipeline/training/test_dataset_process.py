"""What members hand over for a training, examined in a real process."""

import io
from pathlib import Path

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.training.dataset_process import (
    ExaminedImage,
    ExamineImages,
    HandedPath,
    ImageExaminer,
    check_enough,
)
from tests.pipeline.training.test_dataset import drawing, png, zipped

pytestmark = pytest.mark.slow  # each starts a process

SHARE = ("guild", "ada")


async def examined(folder: Path, **files: bytes) -> tuple[ExaminedImage, ...]:
    paths = []
    for name, data in files.items():
        path = folder / name
        path.write_bytes(data)
        paths.append(HandedPath(name=name, path=path))
    order = ExamineImages(
        files=tuple(paths), folder=folder, native_size=128, smallest=64, left_out=(2,), sheet=folder / "sheet.png"
    )
    return await ImageExaminer().examine(order, SHARE)


async def test_images_and_their_sheet_are_written(tmp_path: Path) -> None:
    """Those of a ZIP too, each cut for the model; one that is left out is not."""
    archive = zipped([png(drawing(seed), f"{seed}.png") for seed in (1, 2)])

    found = await examined(tmp_path, zipped=archive.data, plain=png(drawing(3)).data)

    assert [image.reason for image in found] == ["", "left out", ""]
    assert [image.path.exists() for image in found] == [True, False, True]
    with Image.open(found[2].path) as cut, Image.open(tmp_path / "sheet.png") as sheet:
        assert cut.size == (144, 112)
        assert sheet.width > 3 * 160


async def test_a_bomb_among_them_is_only_its_own_matter(tmp_path: Path) -> None:
    """It is rejected by what its header says."""
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(bomb, "PNG")

    found = await examined(tmp_path, bomb=bomb.getvalue(), plain=b"words", other=png(drawing(3)).data)

    assert [image.is_used for image in found] == [False, False, True]
    assert found[0].reason == "not a picture that can be read"


async def test_a_damaged_zip_is_one_sentence(tmp_path: Path) -> None:
    """That of the process, word for word."""
    whole = bytearray(zipped([png(drawing(1))]).data)
    whole[40:80] = bytes(40)

    with pytest.raises(UserError, match="ZIP cannot be read; send one without a password"):
        await examined(tmp_path, zipped=bytes(whole))


@pytest.mark.parametrize(
    ("reasons", "sentence"),
    [
        (
            ["", *["nearly the same as 1"] * 4],
            r"1 of 5 pictures can be used \(nearly the same as 1\); training needs 3",
        ),
        (["", ""], "2 of 2 pictures can be used; training needs 3"),
    ],
)
def test_too_few_are_refused_with_the_reasons(reasons: list[str], sentence: str) -> None:
    """Each reason once."""
    with pytest.raises(UserError, match=sentence):
        check_enough([ExaminedImage(path=Path("1.png"), reason=reason) for reason in reasons])
