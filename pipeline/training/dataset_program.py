"""The program that examines images to be learnt: `python -m pipeline.training.dataset_program` answers one order."""

from functools import partial
from pathlib import Path
from typing import Any

from pipeline.errors import UserError
from pipeline.images.image_program import DISK, set_limits
from pipeline.processes.program import Order, answer
from pipeline.requests.aspect_ratio import size_like
from pipeline.training.dataset import contact_sheet, examined, read_files, unpacked


def work(order: Order) -> dict[str, Any]:
    """Do an order of `pipeline.training.dataset_process`.

    Args:
        order: its fields.

    Returns:
        The reasons why files are not used, each empty for one that is.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    try:
        return {"reasons": _written(order, Path(order["folder"]))}
    except OSError as error:
        raise UserError(DISK) from error


def _written(order: Order, folder: Path) -> list[str]:
    """What is wrong with each image, after those that are used and the sheet of all are written."""
    files = read_files((file["name"], Path(file["path"])) for file in order["files"])
    fitting = partial(size_like, native_size=order["native_size"])
    images = examined(unpacked(files), fitting, order["smallest"], order["left_out"])
    for number, image in enumerate(images, start=1):
        if image.is_used and image.image is not None:
            image.image.save(folder / f"{number}.png")
    if order["sheet"] is not None:
        Path(order["sheet"]).write_bytes(contact_sheet(images))
    return [image.reason for image in images]


if __name__ == "__main__":
    answer(work, ready=set_limits)
