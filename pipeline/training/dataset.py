"""Images that a member hands over to be learnt: unpacked, examined, cut as they will be used, shown as a sheet."""

import io
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from pipeline.errors import InvalidRequest
from pipeline.images.grid import labelled_grid
from pipeline.images.input_image import read_image
from pipeline.training.request import MAX_IMAGES

MAX_UNPACKED: Final = 200 * 2**20

_SHARP_SIDE: Final = 256
# Of the second derivative of grey levels at that side: out-of-focus photographs lie below, drawings far above.
_SHARP: Final = 12.0
# Of 64 bits: two crops of one photograph differ in fewer, two photographs of one dog in more.
_ALIKE: Final = 5
_THUMBNAIL: Final = 160
_COLUMNS: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedFile:
    """A file as it came: `name` is the member's, of `data` nothing is known."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One image as it will be used, RGB or RGBA, or the `reason` why it will not; None for no image."""

    name: str
    image: Image.Image | None
    reason: str = ""

    @property
    def is_used(self) -> bool:
        """Whether it will be learnt."""
        return not self.reason


def read_files(files: Iterable[tuple[str, Path]]) -> list[HandedFile]:
    """Read the files that a member handed over.

    Args:
        files: the member's name of each, and where it is.

    Returns:
        The files in the same order.

    Raises:
        InvalidRequest: there are more than MAX_UNPACKED bytes in all of them.
    """
    handed = list(files)
    if sum(path.stat().st_size for _, path in handed) > MAX_UNPACKED:
        raise InvalidRequest("images", f"These are more than {MAX_UNPACKED >> 20} MB of pictures; send less.")
    return [HandedFile(name=name, data=path.read_bytes()) for name, path in handed]


def unpacked(files: Iterable[HandedFile]) -> list[HandedFile]:
    """The files that a member handed over, a ZIP's own in its place.

    Args:
        files: of any kind; only a ZIP is looked into.

    Returns:
        At most MAX_IMAGES files.

    Raises:
        InvalidRequest: a ZIP is damaged or locked, there are more than MAX_UNPACKED bytes in all of them, or too many
            files.
    """
    found: list[HandedFile] = []
    left = MAX_UNPACKED
    for file in files:
        if zipfile.is_zipfile(io.BytesIO(file.data)):
            own = _of_zip(file, left)
            left -= sum(len(one.data) for one in own)
            found += own
        else:
            found.append(file)
    if len(found) > MAX_IMAGES:
        raise InvalidRequest("images", f"These are {len(found)} pictures; choose the best {MAX_IMAGES} or fewer.")
    return found


def examined(
    files: Sequence[HandedFile],
    size_like: Callable[[int, int], tuple[int, int]],
    smallest: int,
    left_out: Collection[int] = (),
) -> list[Examined]:
    """Each file as it will be used, or the reason why it will not.

    Rejected is what is no image, is too small, is blurred, is nearly one before it, or was left out.

    Args:
        files: in the order in which they are numbered, from 1.
        size_like: the size to cut to, for an upright image's own width and height, in pixels.
        smallest: pixels that each side must have.
        left_out: numbers of files that the member does not want.

    Returns:
        One result for each file: upright, and cut in its middle.
    """
    seen: list[tuple[int, str]] = []
    results = []
    for number, file in enumerate(files, start=1):
        result = _examined(file, size_like, smallest)
        if number in left_out:
            result = replace(result, reason="left out")
        if result.image is not None and result.is_used:
            fingerprint = _fingerprint(result.image)
            twin = next((name for other, name in seen if (other ^ fingerprint).bit_count() <= _ALIKE), None)
            seen.append((fingerprint, str(number)))
            if twin is not None:
                result = Examined(name=file.name, image=result.image, reason=f"nearly the same as {twin}")
        results.append(result)
    return results


def contact_sheet(images: Sequence[Examined]) -> bytes:
    """All images in their order, numbered, those that will not be used greyed and with their reasons.

    Args:
        images: at least one.

    Returns:
        A PNG.
    """
    shown = [_thumbnail(one) for one in images]
    names = [f"{number}{'' if one.is_used else ': ' + one.reason}" for number, one in enumerate(images, start=1)]
    columns = min(_COLUMNS, len(shown))
    strips = [
        labelled_grid(shown[start : start + columns], names[start : start + columns], [""])
        for start in range(0, len(shown), columns)
    ]
    sheet = Image.new("RGB", (max(one.width for one in strips), sum(one.height for one in strips)), (255, 255, 255))
    top = 0
    for strip in strips:
        sheet.paste(strip, (0, top))
        top += strip.height
    file = io.BytesIO()
    sheet.save(file, "PNG")
    return file.getvalue()


def _of_zip(file: HandedFile, left: int) -> list[HandedFile]:
    try:
        with zipfile.ZipFile(io.BytesIO(file.data)) as archive:
            return _entries(archive, left)
    except InvalidRequest:
        raise
    except Exception as error:
        # Whatever a reader of hostile archives raises: a lock, a method it does not know, damage.
        raise InvalidRequest(
            "images", "The ZIP cannot be read; send one without a password, or the pictures themselves."
        ) from error


def _entries(archive: zipfile.ZipFile, left: int) -> list[HandedFile]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir() and not _is_hidden(entry.filename)]
    if len(entries) > MAX_IMAGES:
        raise InvalidRequest("images", f"The ZIP holds {len(entries)} files; put {MAX_IMAGES} or fewer in it.")
    found = []
    for entry in entries:
        with archive.open(entry) as opened:
            # What the ZIP says of its sizes is not to be trusted.
            data = opened.read(left + 1)
        left -= len(data)
        if left < 0:
            raise InvalidRequest("images", f"What is zipped unpacks to more than {MAX_UNPACKED >> 20} MB; send less.")
        found.append(HandedFile(name=entry.filename.rpartition("/")[2], data=data))
    return found


def _is_hidden(path: str) -> bool:
    """What file managers put in beside the images."""
    return path.startswith("__MACOSX/") or path.rpartition("/")[2].startswith(".")


def _examined(file: HandedFile, size_like: Callable[[int, int], tuple[int, int]], smallest: int) -> Examined:
    try:
        read = read_image(file.data)
    except InvalidRequest:
        return Examined(name=file.name, image=None, reason="not a picture that can be read")
    whole = read.rgb
    if read.alpha is not None:
        whole = whole.copy()
        whole.putalpha(read.alpha)
    cut = ImageOps.fit(whole, size_like(*whole.size), Image.Resampling.LANCZOS)
    reason = ""
    if min(whole.size) < smallest:
        reason = f"too small, {whole.width}×{whole.height}; {smallest} a side is the least"
    elif _sharpness(cut) < _SHARP:
        reason = "blurred"
    return Examined(name=file.name, image=cut, reason=reason)


def _sharpness(image: Image.Image) -> float:
    """The variance of the Laplacian at one size, so that large images count as small ones do."""
    grey = ImageOps.contain(image.convert("L"), (_SHARP_SIDE, _SHARP_SIDE))
    return float(cv2.Laplacian(np.asarray(grey), cv2.CV_64F).var())


def _fingerprint(image: Image.Image) -> int:
    """64 bits: where the grey level rises from left to right at 9 by 8 points (dHash)."""
    grey = np.asarray(image.convert("L").resize((9, 8), Image.Resampling.LANCZOS)).astype(int)
    return int("".join("1" if rises else "0" for rises in (grey[:, 1:] > grey[:, :-1]).flat), 2)


def _thumbnail(one: Examined) -> Image.Image:
    page = Image.new("RGB", (_THUMBNAIL, _THUMBNAIL), (236, 236, 236))
    if one.image is None:
        return page
    small = ImageOps.contain(one.image, (_THUMBNAIL, _THUMBNAIL)).convert("RGBA")
    page.paste(small, ((_THUMBNAIL - small.width) // 2, (_THUMBNAIL - small.height) // 2), small)
    if one.is_used:
        return page
    return ImageEnhance.Brightness(page.convert("L").convert("RGB")).enhance(1.3)
