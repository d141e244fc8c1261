"""An image that a member hands over."""

import pytest

from handlers.commands.attachments import AttachedFile
from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest
from tests.app_contexts import CallCommand
from tests.handlers.images.attached import attached, photo


async def test_a_file_that_is_no_image_is_refused_by_its_option(context: AppContext, call: CallCommand) -> None:
    """So that a form can say it beside the field."""
    image = await attached(context, photo())
    page = AttachedFile(blob=await context.blobs.put(b"<html>"), name="a.png", size=6)
    for values, field in (({"image": page}, "image"), ({"image": image, "mask": page}, "mask")):
        with pytest.raises(InvalidRequest, match=f"The {field} cannot be read") as refusal:
            await call("edit", prompt="fox", **values)
        assert refusal.value.field == field
