"""/upscale: enlarged as it is, or drawn again in its new size."""

import pytest

from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest
from storage.guilds.guilds import Guild
from tests.app_contexts import CallCommand
from tests.handlers.images.attached import attached, photo, queued


@pytest.mark.parametrize(
    ("values", "strength"), [({"prompt": "fox", "redraw": 0.6}, 0.6), ({"prompt": "fox", "steps": 2}, 0.5)]
)
async def test_with_words_it_is_drawn_again_in_its_new_size(
    call: CallCommand, context: AppContext, guild: Guild, values: dict[str, object], strength: float
) -> None:
    """As strongly as is said, else as the model bears it; no less than a step."""
    message = await call("upscale", image=await attached(context, photo((50, 31))), factor=3, **values)

    request = await queued(context, guild, message)

    assert request.start is not None
    assert (request.prompt, request.width, request.height) == ("fox", 144, 88)
    assert request.start.strength == pytest.approx(strength, abs=0.01)


@pytest.mark.parametrize(
    ("values", "size", "sentence"),
    [
        ({"upscaler": "sharp"}, (40, 20), "There is no upscaler 'sharp' here; there is: waifu2x, lanczos."),
        ({"upscaler": "lanczos", "prompt": "fox"}, (40, 20), "leave it out, or prompt and redraw"),
        ({"redraw": 0.3}, (40, 20), "The prompt is empty"),
        ({"prompt": "fox"}, (31, 90), "62×180 is too small to be drawn again; /upscale without a prompt"),
        ({"steps": 5}, (40, 20), "steps is for drawing the picture again; add redraw or a prompt"),
        ({"negative": "blurred"}, (40, 20), "negative is for drawing the picture again"),
        ({"factor": 4}, (1100, 20), "4400×80 is too large; stay within 4096×4096."),
    ],
)
async def test_what_cannot_be_is_refused_before_it_waits(
    call: CallCommand,
    context: AppContext,
    guild: Guild,
    values: dict[str, object],
    size: tuple[int, int],
    sentence: str,
) -> None:
    """In one sentence."""
    image = await attached(context, photo(size))

    with pytest.raises(InvalidRequest, match=sentence):
        await call("upscale", image=image, **values)
    assert await context.queue.guild_jobs(guild.id) == ()
