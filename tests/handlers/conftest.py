"""Fixtures that the handlers' tests share."""

import pytest

from handlers.commands.arguments import Value
from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from tests.handlers.training.trainings import Files


@pytest.fixture
def files(context: AppContext) -> Files:
    async def hand_over(*data: bytes) -> dict[str, Value]:
        names = ["images", *(f"image-{number}" for number in range(2, 9))]
        keys = [await context.blobs.put(one) for one in data]
        handed = [AttachedFile(blob=key, name="p.png", size=1) for key in keys]
        return dict(zip(names, handed, strict=False))

    return hand_over
