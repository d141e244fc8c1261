"""/lora list, info, rename, scale, share and remove: what a guild's library holds, and what its owners decide."""

from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Completion, Option, OptionKind
from handlers.commands.permissions import NotAllowed
from handlers.messages.message import Button, Message, Verb
from handlers.prompts.loras import named_lora
from pipeline.errors import UserError
from pipeline.requests.image_request import MAX_LORA_SCALE
from storage.library.loras import Lora

_PAGE: Final = 25
_GUILD: Final = "guild"
_PRIVATE: Final = "private"


async def list_loras(call: Call, context: AppContext, *, subjects: bool = False) -> Message:
    """What the caller can use, by name, a page at a time; on wish `subjects` alone."""
    search, page = (call.arguments.text("search") or "").strip(), call.arguments.integer("page") or 1
    found = await context.loras.search(
        call.guild.id, call.member.id, search, limit=_PAGE + 1, offset=(page - 1) * _PAGE, subjects=subjects
    )
    kind, teach = ("subject", "/train subject teaches") if subjects else ("LoRA", "/lora add adds")
    if not found:
        words = f"No {kind} here is called '{search:.64}'." if search else f"There is no {kind} here; {teach} one."
        return Message(headline=words, private=True)
    turns = [
        (number, label)
        for number, label, there in ((page - 1, "Back", page > 1), (page + 1, "More", len(found) > _PAGE))
        if there
    ]
    buttons = [
        await saved_button(call, context, f"{kind.lower()} list", {"search": search, "page": str(number)}, label)
        for number, label in turns
    ]
    return Message(
        headline=f"{kind[0].upper()}{kind[1:]}s that you can use here",
        lines=tuple(_line(lora) for lora in found[:_PAGE]),
        buttons=(tuple(buttons),) if buttons else (),
        private=True,
    )


async def lora_info(call: Call, context: AppContext) -> Message:
    """The card of one LoRA."""
    return card(await named_lora(call, context), private=True)


async def rename_lora(call: Call, context: AppContext) -> Message:
    """Give a LoRA another name."""
    lora, new_name = await own_lora(call, context), (call.arguments.text("to") or "").strip().lower()
    return _answer(await context.loras.rename(lora, new_name), f"'{lora.name}' is called '{new_name}' now.")


async def scale_lora(call: Call, context: AppContext) -> Message:
    """Set how strongly a LoRA is used where nobody says."""
    lora, scale = await own_lora(call, context), call.arguments.number("scale") or 0.0
    return _answer(
        await context.loras.set_scale(lora, scale), f"'{lora.name}' is used at {scale:g} unless one says else."
    )


async def share_lora(call: Call, context: AppContext) -> Message:
    """Give a LoRA to the whole guild, or keep it for its owner."""
    lora, private = await own_lora(call, context), call.arguments.text("whose") == _PRIVATE
    whose = "its owner's alone" if private else "for everyone here"
    return _answer(await context.loras.set_private(lora, private), f"'{lora.name}' is {whose} now.")


async def remove_lora(call: Call, context: AppContext) -> Message:
    """Take a LoRA out of the library, once confirmed; its file goes when no open job needs it."""
    lora = await own_lora(call, context)
    if not call.arguments.switch("confirm"):
        button = await saved_button(call, context, "lora remove", {"name": lora.name, "confirm": "on"}, "Remove it")
        return Message(headline=f"Remove the LoRA '{lora.name}' for good?", buttons=((button,),), private=True)
    return _answer(await context.loras.remove(lora), f"'{lora.name}' is removed.")


def card(lora: Lora, *, private: bool = False) -> Message:
    """All that is known of a LoRA."""
    mark = f"@{lora.name}" if lora.subject else f"<lora:{lora.name}:{lora.scale:g}>"
    facts = (
        f"Use it as --lora {lora.name}:{lora.scale:g} or {mark}",
        f"Trigger words: {lora.trigger_words or 'none known'}",
        *lora.metadata.splitlines(),
        f"{lora.size / 2**20:.1f} MB here · {'private' if lora.private else 'for everyone here'}",
    )
    return Message(headline=f"LoRA '{lora.name}'", lines=facts, private=private)


async def own_lora(call: Call, context: AppContext) -> Lora:
    """The LoRA that the caller names and may change; raises NotAllowed."""
    lora = await named_lora(call, context)
    if not (call.member.is_admin or lora.owner_id == call.member.id):
        raise NotAllowed(f"'{lora.name}' is another member's; only they or an admin can change it.")
    return lora


def _answer(done: bool, words: str) -> Message:
    if not done:
        raise UserError("This LoRA was removed meanwhile; /lora list shows those that there are.")
    return Message(headline=words, private=True)


async def saved_button(call: Call, context: AppContext, command: str, values: dict[str, str], label: str) -> Button:
    """A button that makes the call."""
    target = await context.calls.save(call.guild.id, call.member.id, command, values)
    return Button(verb=Verb.CALL, target=target, label=label)


def _line(lora: Lora) -> str:
    words = f" · {lora.trigger_words:.60}" if lora.trigger_words else ""
    return f"{lora.name}:{lora.scale:g}{' · private' if lora.private else ''}{words}"


_NAME: Final = Option(name="name", help="Which LoRA", required=True, completion=Completion.LORAS, rest=True)

SEARCH: Final = (
    Option(name="search", help="Part of a name", rest=True),
    Option(name="page", help="Which page", kind=OptionKind.INTEGER, low=1, high=10_000),
)
"""The options of a list."""

WHOSE: Final = Option(
    name="whose", help="Whose it is", kind=OptionKind.CHOICE, choices=(_GUILD, _PRIVATE), required=True
)

COMMANDS: Final = (
    Command(
        name="lora list",
        help="The LoRAs that you can use",
        example="/lora list crayon",
        handler=list_loras,
        private=True,
        options=SEARCH,
    ),
    Command(
        name="lora info",
        help="All that is known of a LoRA",
        example="/lora info crayon",
        handler=lora_info,
        private=True,
        options=(_NAME,),
    ),
    Command(
        name="lora rename",
        help="Call a LoRA something else",
        example="/lora rename crayon --to pastel",
        handler=rename_lora,
        private=True,
        options=(_NAME, Option(name="to", help="Its new name", required=True)),
    ),
    Command(
        name="lora scale",
        help="How strongly a LoRA is used unless one says",
        example="/lora scale crayon --scale 0.8",
        handler=scale_lora,
        private=True,
        options=(
            _NAME,
            Option(
                name="scale",
                help="1 is as trained, below 0 is the opposite",
                kind=OptionKind.NUMBER,
                required=True,
                low=-MAX_LORA_SCALE,
                high=MAX_LORA_SCALE,
            ),
        ),
    ),
    Command(
        name="lora share",
        help="Give a LoRA to everyone here, or keep it",
        example="/lora share crayon --whose guild",
        handler=share_lora,
        private=True,
        options=(_NAME, WHOSE),
    ),
    Command(
        name="lora remove",
        help="Remove a LoRA",
        example="/lora remove crayon",
        handler=remove_lora,
        private=True,
        options=(_NAME, Option(name="confirm", help="Remove it without asking again", kind=OptionKind.SWITCH)),
    ),
)
