"""A member who uses /control, and what comes of it."""

import io
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from PIL import Image, ImageDraw

from handlers.buttons import Press, press
from handlers.commands.actions import Pressed
from handlers.commands.attachments import AttachedFile
from handlers.commands.call import Caller, Member
from handlers.commands.context import AppContext
from handlers.commands.form import Form
from handlers.commands.forms import submit_form
from handlers.delivery.delivery import Delivery
from handlers.messages.message import Message, Verb
from storage.guilds.guilds import Guild
from storage.platform import Platform
from storage.queue.jobs import Job
from storage.queue.reply_address import ReplyAddress
from tests.app_contexts import CallCommand
from tests.eventually import eventually
from tests.fakes import FakeChat, FakeClock, FakeDevice


def scene() -> Image.Image:
    """A few edges, strong and faint ones."""
    image = Image.new("RGB", (300, 200), (90, 90, 90))
    drawing = ImageDraw.Draw(image)
    for number, level in enumerate((95, 105, 125, 180, 255)):
        drawing.rectangle((20 + 50 * number, 40, 50 + 50 * number, 160), fill=(level,) * 3)
    return image


def encoded(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


@dataclass(slots=True, kw_only=True)
class Person:
    """A member who attaches, presses and fills forms; jobs are worked on between two of their actions."""

    context: AppContext
    guild: Guild
    clock: FakeClock
    device: FakeDevice
    call: CallCommand
    chat: FakeChat

    async def attach(self, image: Image.Image) -> AttachedFile:
        data = encoded(image)
        return AttachedFile(blob=await self.context.blobs.put(data), name="scene.png", size=len(data))

    async def ended(self) -> tuple[Job, Message]:
        """The newest job at its end and the message that told of it."""

        async def look() -> Job | None:
            (job, *_) = await self.context.queue.guild_jobs(self.guild.id)
            return job if job.finished_at is not None else None

        job = await eventually(look)
        await Delivery(context=self.context, chat=self.chat, poster="p", clock=self.clock).deliver_due()
        return job, self.chat.delivered[-1][1]

    def caller(self, who: str = "ada", channel: str = "general", *, private: bool = False) -> Caller:
        address = ReplyAddress(platform=Platform.TERMINAL, channel_id=channel, user_id=who, private=private)
        return Caller(guild=self.guild, member=Member(id=who, name=who.title()), reply=address)

    async def press(self, verb: Verb, job: Job, who: str = "ada", channel: str = "general") -> Pressed:
        self.clock.advance(5)
        return await press(Press(verb=verb, target=job.id, index=0), self.caller(who, channel), self.context)


async def shown(ada: Person, kind: str = "edge", /, **values: object) -> tuple[Job, Message]:
    """The map of a /control, as it was posted."""
    await ada.call(f"control {kind}", prompt="tower", image=await ada.attach(scene()), **values)
    return await ada.ended()


def labels(message: Message) -> list[str]:
    return [button.label for row in message.buttons for button in row]


@asynccontextmanager
async def no_other_job(ada: Person) -> AsyncIterator[None]:
    before = len(await ada.context.queue.guild_jobs(ada.guild.id))
    yield
    assert len(await ada.context.queue.guild_jobs(ada.guild.id)) == before


async def made_with_control(ada: Person, **values: object) -> Job:
    """An image whose map looked right."""
    job, _ = await shown(ada, weight=0.7, seed=5, **values)
    await ada.press(Verb.USE_MAP, job)
    return (await ada.ended())[0]


async def submitted(ada: Person, form: object, who: str = "ada", **entries: str) -> None:
    assert isinstance(form, Form)
    values = {field.option.name: field.value for field in form.fields}
    await submit_form(form.call_id, values | entries, ada.caller(who), ada.context)
