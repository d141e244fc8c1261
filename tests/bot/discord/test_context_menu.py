"""The context menu of an image: its metadata, and forms that begin with it, however long they stay open."""

import io

import pytest
from PIL import Image

from handlers.jobs.payloads import REQUEST
from pipeline.requests.control import ControlKind
from tests.bot.discord.conftest import World, plain_png, words
from tests.fakes import png, request


@pytest.mark.usefixtures("simulated_files")
async def test_any_image_may_be_begun_with(world: World) -> None:
    """The form of /edit asks for no image: that of the message is fetched when it comes back, by another process."""
    message = await world.ada.send(world.channel, "look", attachments=[("red.png", _red())])
    shown = await world.admin.context_menu(world.channel, "Use as start image", message)
    assert shown.modal is not None
    assert await world.context.blobs.size() == 0

    await world.restart()
    await world.admin.submit_modal(shown, {"prompt": "a blue fox", "strength": "0.4"})

    request = REQUEST.read((await world.claim()).job.payload)
    assert request.start is not None
    assert (request.prompt, request.start.strength, request.controls) == ("a blue fox", 0.4, ())
    with Image.open(io.BytesIO(await world.context.blobs.get(request.start.image))) as kept:
        assert kept.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


@pytest.mark.usefixtures("simulated_files")
async def test_any_image_may_be_followed_in_any_kind(world: World) -> None:
    """One form stands for the whole group; the kind that was chosen in it is the action that is called."""
    message = await world.ada.send(world.channel, "look", attachments=[("red.png", _red())])

    shown = await world.ada.context_menu(world.channel, "Use as control", message)
    entries = {"kind": ["depth"], "prompt": "a blue fox", "weight": "0.5", "more": "--preview off"}
    await world.ada.submit_modal(shown, entries)

    request = REQUEST.read((await world.claim()).job.payload)
    [use] = request.controls
    assert (use.kind, use.scale, request.start) == (ControlKind.DEPTH, 0.5, None)


@pytest.mark.usefixtures("simulated_files")
async def test_an_image_that_went_meanwhile_is_a_sentence(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Discord deletes what was attached when the message goes; nothing is queued and nothing stored."""
    message = await world.ada.send(world.channel, "look", attachments=[("red.png", _red())])
    shown = await world.ada.context_menu(world.channel, "Use as start image", message)
    monkeypatch.setattr(world.env.backend.cdn, "get", lambda _url: None)

    result = await world.ada.submit_modal(shown, {"prompt": "a blue fox"})

    said = [message for message in (result.response, *result.followups) if message is not None]
    assert "Discord did not give out this file" in words(said[-1])
    assert await world.context.blobs.size() == 0
    assert await world.context.queue.claim("a worker") is None


@pytest.mark.parametrize("menu", ["Use as start image", "Use as control"])
async def test_a_message_without_an_image_of_discords_opens_no_form(world: World, menu: str) -> None:
    """A sentence for the member alone."""
    empty = await world.ada.send(world.channel, "look")
    elsewhere = await world.ada.send(world.channel, "look", attachments=[("red.png", _red())])

    none = await world.ada.context_menu(world.channel, menu, empty)
    strange = await world.ada.context_menu(world.channel, menu, elsewhere)

    assert none.response is not None
    assert strange.response is not None
    assert none.ephemeral
    assert "holds no picture" in words(none.response)
    assert "does not lie with Discord" in words(strange.response)


def _red() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 64), "red").save(file, "PNG")
    return file.getvalue()


@pytest.mark.usefixtures("simulated_files")
async def test_image_info_reads_what_the_file_says(world: World) -> None:
    """Any message with an image of ours, wherever it came from."""
    message = await world.ada.send(world.channel, "look", attachments=[("fox.png", png(request("red fox")))])

    result = await world.admin.context_menu(world.channel, "Picture info", message)

    assert result.response is not None
    assert result.ephemeral
    assert "/imagine prompt:red fox" in words(result.response)


@pytest.mark.usefixtures("simulated_files")
@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ([], "holds no picture"),
        ([("notes.txt", b"words")], "holds no picture"),
        ([("fake.png", b"not a picture at all")], "not a PNG"),
        ([("plain.png", b"")], "does not say how it was made"),
    ],
)
async def test_what_is_no_image_of_ours_is_said(world: World, files: list[tuple[str, bytes]], sentence: str) -> None:
    """One sentence each, and nothing is decoded: a bomb stays unexploded."""
    files = [(name, data or plain_png()) for name, data in files]
    message = await world.ada.send(world.channel, "look", attachments=files)

    result = await world.ada.context_menu(world.channel, "Picture info", message)

    assert result.response is not None
    assert sentence in words(result.response)


async def test_an_image_that_lies_elsewhere_is_not_fetched(world: World) -> None:
    """Only Discord's own file servers are asked."""
    message = await world.ada.send(world.channel, "look", attachments=[("fox.png", png(request("red fox")))])

    result = await world.ada.context_menu(world.channel, "Picture info", message)

    assert result.response is not None
    assert "does not lie with Discord" in words(result.response)
