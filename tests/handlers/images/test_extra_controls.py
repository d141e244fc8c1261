"""The option `also`: more that is kept of the same image."""

import pytest

from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.handlers.images.attached import attached, photo, queued


async def test_several_kinds_are_kept_of_one_image(context: AppContext, guild: Guild, call: CallCommand) -> None:
    """Each as much as is said, the first by its own options; in a new image and over the old one."""
    image = await attached(context, photo())
    also = "depth:0.5, pose"

    new = await queued(
        context, guild, await call("control edge", prompt="fox", image=image, also=also, weight=0.7, preview=False)
    )
    over = await queued(context, guild, await call("edit", prompt="fox", image=image, control="edge", also=also))
    alone = await queued(context, guild, await call("edit", prompt="fox", image=image, also="depth"))

    kept = [(use.kind.value, use.scale) for use in new.controls]
    assert kept == [("edge", 0.7), ("depth", 0.5), ("pose", 1.0)]
    assert [(use.kind.value, use.scale) for use in over.controls] == [("edge", 1.0), ("depth", 0.5), ("pose", 1.0)]
    assert [use.kind.value for use in alone.controls] == ["depth"]
    assert len({use.image for use in (*new.controls, *over.controls)}) == 1


@pytest.mark.parametrize(
    ("also", "sentence"),
    [
        ("depth:0.5 deep", r"^also 'deep' is unclear; write kinds such as depth:0.5 pose; there are: edge, scribble"),
        ("depth edge", "^edge is kept already; name each kind once.$"),
        ("depth pose depth", "^depth is kept already; name each kind once.$"),
        ("depth:3", "^control scale is 3; use 0 to 2.$"),
        ("depth pose normal tile", "^number of controls is 5; use 0 to 4.$"),
    ],
)
async def test_what_cannot_be_kept_too_is_refused(
    context: AppContext, call: CallCommand, also: str, sentence: str
) -> None:
    """In one sentence."""
    image = await attached(context, photo())
    with pytest.raises(InvalidRequest, match=sentence):
        await call("control edge", prompt="fox", image=image, also=also)
