"""/subject export: what was taught here as a file for other programs."""

from typing import Final

from handlers.commands.call import Call
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Option, OptionKind
from handlers.loras.library import own_lora
from handlers.messages.message import Attachment, Message
from handlers.prompts.subjects import NAME, check_subject
from pipeline.lora.format.layout import LoraLayout


async def export_subject(call: Call, context: AppContext) -> Message:
    """Hand the subject's file to its owner or an admin, to them alone; raises UserError."""
    lora = check_subject(await own_lora(call, context))
    layout = LoraLayout(call.arguments.text("layout") or LoraLayout.KOHYA)
    data = await context.exporting(lora, layout, context.max_upload_bytes)
    return Message(
        headline=f"@{lora.name} as a LoRA in {layout}'s layout",
        lines=(f"{len(data) / 2**20:.1f} MB. Other programs call it by its words: {lora.trigger_words}",),
        files=(Attachment(data=data, file_name=f"{lora.name}-{layout}.safetensors"),),
        private=True,
    )


COMMAND: Final = Command(
    name="subject export",
    help="A subject as a file for other programs",
    example="/subject export rex --layout diffusers",
    handler=export_subject,
    private=True,
    options=(
        NAME,
        Option(
            name="layout",
            help="kohya for AUTOMATIC1111 and ComfyUI, diffusers for scripts",
            kind=OptionKind.CHOICE,
            choices=tuple(LoraLayout),
        ),
    ),
)
