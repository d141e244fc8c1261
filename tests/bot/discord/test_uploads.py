"""Images within Discord's limits: as WebP, in several messages, or a sentence."""

import io
import random

from PIL import Image

from bot.discord.uploads import MAX_REQUEST_BYTES, pack, with_fitting_files
from handlers.messages.message import Attachment, Message, ShownImage
from tests.bot.discord.conftest import World, plain_png, shown_image, words
from tests.fakes import images_opened_here


async def test_an_image_above_the_limit_becomes_webp(world: World) -> None:
    """Ten megabytes a file, unless the server is boosted; WebP is much smaller than PNG."""
    noise = Image.frombytes("RGB", (2048, 2048), random.Random(1).randbytes(2048 * 2048 * 3))  # noqa: S311 - noise, not a secret
    file = io.BytesIO()
    noise.save(file, "PNG", compress_level=1)
    assert file.tell() > 10 * 2**20

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="noise", images=(shown_image(data=file.getvalue()),)), "n"
        )

    [attachment] = world.last.attachments
    assert attachment.filename == "fox.webp"
    assert attachment.size <= 10 * 2**20


async def test_what_no_form_makes_small_enough_is_a_sentence(world: World) -> None:
    """It says which image is missing, and that it is kept; a pixel is no smaller as WebP than half of itself."""
    world.env.inject_error("POST", "/channels/*/messages", status=413, code=40005, times=1)
    file = io.BytesIO()
    Image.new("RGB", (1, 1)).save(file, "PNG")

    with world.env.time_context():
        await world.delivery.chat.deliver(
            world.address(), Message(headline="fox", images=(shown_image(data=file.getvalue()),)), "n"
        )

    assert world.last.attachments == []
    assert "fox.png is too large for this server" in words(world.last)
    assert "It is kept, and /history names its job" in words(world.last)


async def test_images_are_split_when_one_message_cannot_hold_them() -> None:
    """More than 24 MB of what cannot be made smaller goes in several messages; what fits no file is named."""
    big = ShownImage(data=b"x", file_name="a.png", alt_text="a")
    ten = tuple(ShownImage(data=plain_png(), file_name=f"{n}.png", alt_text="a") for n in range(12))

    packed = await pack(ten, 10 * 2**20, images_opened_here(), ("art", "ada"))
    small = (ShownImage(data=plain_png(64), file_name="a.png", alt_text="a"),)
    refused = await pack(small, 10, images_opened_here(), ("art", "ada"))

    assert [len(message) for message in packed.messages] == [10, 2]
    assert refused.messages == ((),)
    assert "a.png is too large for this server" in refused.refusals[0]
    assert len(big.data) < MAX_REQUEST_BYTES


def test_the_sentence_for_a_file_that_is_too_large_names_its_size() -> None:
    """And those that it takes are there."""
    files = (Attachment(data=bytes(3 * 2**20), file_name="a.bin"), Attachment(data=b"b", file_name="b.bin"))

    fitting = with_fitting_files(Message(headline="Files", lines=("Two.",), files=files), 2 * 2**20)

    assert fitting.files == files[1:]
    assert fitting.lines == ("Two.", "a.bin is 3.0 MB, and Discord takes 2 MB here.")
