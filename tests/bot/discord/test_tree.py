"""The other commands, the tree that Discord is told of, and the coming and going of servers."""

import io
import json

import discord
import pytest
from PIL import Image
from simcord.backend.models import Interaction
from simcord.interactions import base_payload

from bot.discord import attachments as offered
from bot.discord.client import publish
from bot.discord.uploads import MAX_REQUEST_BYTES, pack, with_fitting_files
from handlers.messages.message import Attachment, Message, ShownImage
from handlers.registry import COMMANDS
from storage.platform import Platform
from storage.queue.job_queue import JobQueue
from storage.queue.jobs import JobState
from tests.bot.discord.conftest import World, labels, published, words
from tests.fakes import png, request


@pytest.fixture
def simulated_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files lie on the simulation's server instead of Discord's."""
    monkeypatch.setattr(offered, "HOSTS", {"cdn.simcord.invalid"})


async def test_an_image_that_lies_elsewhere_is_not_fetched(world: World) -> None:
    """Only Discord's own file servers are asked."""
    message = await world.ada.send(world.channel, "look", attachments=[("fox.png", png(request("red fox")))])

    result = await world.ada.context_menu(world.channel, "Picture info", message)

    assert result.response is not None
    assert "does not lie with Discord" in words(result.response)


async def _answer(world: World, name: str, **options: object) -> str:
    actor = world.admin if name == "settings" else world.ada
    result = await actor.slash(world.channel, name, **options)
    assert result.response is not None
    assert result.ephemeral
    return words(result.response)


async def test_every_command_is_registered_from_its_description() -> None:
    """Names, options and admins' commands come from `handlers`; nothing is described twice."""
    names = {command.name for command in COMMANDS}
    assert {"imagine", "queue", "cancel", "history", "help", "privacy", "settings"} <= names


async def test_the_tree_carries_types_ranges_choices_and_other_languages(world: World) -> None:
    """What Discord checks for us it is told: ranges, choices, who may, in which contexts, in which language."""
    payloads = {command["name"]: command for command in published(world)}
    imagine = payloads["imagine"]
    options = {option["name"]: option for option in imagine["options"]}

    assert imagine["options"][0]["name"] == "prompt"
    assert (options["count"]["min_value"], options["count"]["max_value"]) == (1, 4)
    assert [choice["value"] for choice in options["aspect"]["choices"]][:2] == ["1:1", "4:3"]
    assert options["advanced"]["type"] == discord.AppCommandOptionType.boolean.value
    assert len(imagine["options"]) <= 25
    assert imagine["integration_types"] == [0]
    assert imagine["contexts"] == [0, 1]
    assert imagine["name_localizations"]["de"] == "bild"
    assert payloads["settings"]["default_member_permissions"] == discord.Permissions(manage_guild=True).value
    assert payloads["Picture info"]["type"] == discord.AppCommandType.message.value


async def test_commands_are_published_only_when_they_changed(world: World) -> None:
    """Discord allows 200 creations a day; a restart costs none."""
    before = sum(call.method == "PUT" for call in world.env.http_requests)

    await world.restart()
    assert sum(call.method == "PUT" for call in world.env.http_requests) == before

    await world.context.notes.put(f"discord commands of {world.client.application_id}", "of an older version")
    with world.env.time_context():
        assert await publish(world.client.tree, world.context.notes, world.client.application_id or 0)


async def test_help_and_queue_answer_privately(world: World) -> None:
    """Questions to the bot are nobody else's business."""
    await world.ada.slash(world.channel, "imagine", prompt="red fox")

    assert "/imagine: Make pictures from words" in await _answer(world, "help")
    assert "1: red fox" in await _answer(world, "queue")


async def test_settings_hold_and_are_logged(world: World) -> None:
    """Each change is shown at once, holds from then on, and stays in the log with the admin's name."""
    shown = await _answer(world, "settings", **{"max-steps": 30, "allow-channel": world.channel})
    log = await _answer(world, "settings", show="log")

    assert "Most steps: 30" in shown
    assert f"Channels where pictures are made: <#{world.channel.id}>" in shown
    assert "boss · max\\_steps: 50 → 30" in log
    elsewhere = world.guild.create_text_channel("lounge")
    refused = await world.ada.slash(elsewhere, "imagine", prompt="fox")
    assert "not made in this channel" in words(refused.followups[0])


async def test_settings_are_for_admins_whatever_discord_lets_through(world: World) -> None:
    """A server may override Discord's own check; ours stands behind it."""
    with world.env.time_context():
        published = await world.client.tree.fetch_commands()
    [settings] = [command for command in published if command.name == "settings"]
    world.guild.set_command_permissions(settings, {world.ada: True})

    result = await world.ada.slash(world.channel, "settings")

    assert result.response is not None
    assert "is for the admins" in words(result.response)


async def test_a_role_may_be_asked_for_a_command(world: World) -> None:
    """Members without it are told so; those who have it are served."""
    artists = world.guild.create_role("Artists")
    zoe = world.guild.add_member(world.env.create_user("zoe"), roles=[artists])
    shown = await _answer(world, "settings", **{"command": "imagine", "allow-role": artists})
    assert f"/imagine only for roles: <@&{artists.id}>" in shown

    refused = await world.ada.slash(world.channel, "imagine", prompt="fox")
    await zoe.slash(world.channel, "imagine", prompt="owl")

    assert "needs a role" in words(refused.followups[0])
    assert (await world.claim()).job.member_name == "zoe"


async def test_history_pages_searches_and_makes_again(world: World) -> None:
    """Five a page, newest first, with a button each."""
    for number in range(7):
        await world.ada.slash(world.channel, "imagine", prompt=f"fox {number}", private=True)

    first = await world.ada.slash(world.channel, "history", search="fox")
    assert first.response is not None
    assert "fox 6" in words(first.response)
    assert "fox 1" not in words(first.response)
    older = await world.ada.click(first.response, label="Older")

    assert older.response is not None
    assert "fox 1" in words(older.response)
    assert labels(older.response) == ["Again: 2", "Again: 1"]
    assert "Nothing of yours mentions 'owl'" in await _answer(world, "history", search="owl")


async def test_history_hands_over_what_could_not_be_posted(world: World) -> None:
    """The channel was closed and so were direct messages; later the member asks for the image and has it."""
    await world.ada.slash(world.channel, "imagine", prompt="red fox")
    claim = await world.claim()
    replies = await world.context.outbox.open_replies(Platform.DISCORD)
    await world.context.outbox.mark_kept(replies[0], "no route to the member was open")
    await world.finish(claim)

    shown = await world.ada.slash(world.channel, "history")
    assert shown.response is not None
    await world.ada.click(shown.response, label="Save: 1")

    saved = world.ada.user.dm_channel.last_message
    assert saved is not None
    [file] = saved.attachments
    assert file.filename == "red-fox-1-1.png"


async def test_privacy_hands_out_and_deletes(world: World) -> None:
    """All of one's own, nobody else's, after a question."""
    await world.ada.slash(world.channel, "imagine", prompt="a secret")
    await world.admin.slash(world.channel, "imagine", prompt="another's")
    export = await world.ada.slash(world.channel, "privacy", what="export")
    assert export.response is not None
    [file] = export.response.attachments
    with world.env.time_context():
        export = json.loads(await file.read())

    asked = await world.ada.slash(world.channel, "privacy", what="delete")
    assert asked.response is not None
    await world.ada.click(asked.response, label="Delete everything")

    assert [job["payload"]["prompt"] for job in export["jobs"]] == ["a secret"]
    assert [job.member_name for job in await world.context.queue.guild_jobs(1, states=tuple(JobState))] == ["boss"]


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
        ([("plain.png", b"")], "no story"),
    ],
)
async def test_what_is_no_image_of_ours_is_said(world: World, files: list[tuple[str, bytes]], sentence: str) -> None:
    """One sentence each, and nothing is decoded: a bomb stays unexploded."""
    files = [(name, data or _plain_png()) for name, data in files]
    message = await world.ada.send(world.channel, "look", attachments=files)

    result = await world.ada.context_menu(world.channel, "Picture info", message)

    assert result.response is not None
    assert sentence in words(result.response)


async def test_a_server_that_removes_us_is_marked_for_deletion(world: World) -> None:
    """Its data goes after a period of grace; an invitation before that keeps it."""
    await world.ada.slash(world.channel, "imagine", prompt="fox")
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]

    guild = world.client.get_guild(world.guild.id)
    assert guild is not None
    await world.client.on_guild_remove(guild)
    assert await world.context.guilds.all(Platform.DISCORD) == ()

    await world.client.on_guild_join(guild)
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]


async def test_a_server_that_removed_us_while_we_were_away_is_noticed(world: World) -> None:
    """At the next start the list of servers is compared with what is stored."""
    await world.context.guilds.ensure(Platform.DISCORD, "12345", "Long Gone")

    await world.restart()

    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]


async def test_an_error_of_ours_is_one_sentence_with_a_number(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No stack trace for members; the number finds it in the log."""
    monkeypatch.setattr(JobQueue, "member_jobs", None)

    result = await world.ada.slash(world.channel, "queue")

    said = [message for message in (result.response, *result.followups) if message is not None]
    assert "was noted as" in words(said[-1])
    number = words(said[-1]).split("noted as ")[1].split(";")[0]
    assert number in caplog.text
    world.expected_errors = 1


async def test_images_are_split_when_one_message_cannot_hold_them() -> None:
    """More than 24 MB of what cannot be made smaller goes in several messages; what fits no file is named."""
    big = ShownImage(data=b"x", file_name="a.png", alt_text="a")
    ten = tuple(ShownImage(data=_plain_png(), file_name=f"{n}.png", alt_text="a") for n in range(12))

    packed = await pack(ten, 10 * 2**20)
    refused = await pack((ShownImage(data=_plain_png(64), file_name="a.png", alt_text="a"),), 10)

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


async def test_a_server_that_did_not_invite_us_gets_a_sentence(world: World) -> None:
    """A member may bring the app along; it could not post there, so nothing is queued, stored or suggested."""
    for where in ({"context": 0, "guild_id": "4711"}, {"context": 2}):
        record = await _interact(world, guild=True, **where, authorizing_integration_owners={"1": str(world.ada.id)})

        assert "Limner works in servers that invited it" in _said(world, record)
    await _interact(world, guild=True, guild_id="4711", type=4, authorizing_integration_owners={"1": str(world.ada.id)})
    assert [guild.name for guild in await world.context.guilds.all(Platform.DISCORD)] == ["Pixel People"]
    assert await world.context.queue.claim("a worker") is None


async def test_a_member_who_brought_the_app_along_is_served_where_it_was_invited(world: World) -> None:
    """Installed by both, the server's invitation counts."""
    owners = {"0": str(world.guild.id), "1": str(world.ada.id)}

    await _interact(world, guild=True, authorizing_integration_owners=owners)

    assert (await world.claim()).job.member_name == "ada"


async def test_a_direct_message_is_a_place_of_ones_own(world: World) -> None:
    """Everybody is their own admin there, and what is made is theirs alone."""
    await _interact(world, guild=False, authorizing_integration_owners={"0": "0"})

    job = (await world.claim()).job
    guild = await world.context.guilds.get(job.guild_id)
    assert guild is not None
    assert guild.external_id == f"dm-{world.ada.id}"


async def _interact(world: World, *, guild: bool, **changes: object) -> Interaction:
    """Ada's /imagine as Discord would send it, with `changes`."""
    backend = world.env.backend
    option = {"name": "prompt", "type": 3, "value": "fox", "focused": True}
    command = backend.commands[None]["imagine", 1]
    direct = backend.get_dm_channel(world.ada.id) if not guild else None
    record, payload = base_payload(
        backend, type=int(str(changes.get("type", 2))), user_id=world.ada.id,
        channel_id=world.channel.id if direct is None else direct.id,
        guild_id=world.guild.id if guild else None,
        data={"id": command["id"], "name": "imagine", "type": 1, "options": [option]},
    )  # fmt: skip
    with world.env.time_context():
        backend.emit("INTERACTION_CREATE", {**payload, **changes})
    await world.env.settle()
    return record


def _said(world: World, record: Interaction) -> str:
    """What was answered, also to one pair of eyes."""
    known = world.env.backend.messages[record.channel_id]
    return str([known[number].components for number in (record.message_id, *record.followup_ids) if number in known])


def _plain_png(side: int = 8) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side)).save(file, "PNG")
    return file.getvalue()
