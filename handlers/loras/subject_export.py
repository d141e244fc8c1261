"""/subject export: what was taught here as a file for other programs."""

from dataclasses import dataclass
from typing import Annotated, Final

from handlers.commands.call import Caller
from handlers.commands.command import Command
from handlers.commands.context import AppContext
from handlers.commands.option import Details
from handlers.commands.options import Options
from handlers.loras.library import own_lora
from handlers.messages.message import Attachment, Message
from handlers.prompts.subjects import SubjectName, check_subject
from pipeline.lora.format.layout import LoraLayout


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportOptions(Options):
    """The options of /subject export."""

    name: SubjectName
    layout: Annotated[LoraLayout | None, Details("kohya for AUTOMATIC1111 and ComfyUI, diffusers for scripts")] = None


async def export_subject(caller: Caller, options: ExportOptions, context: AppContext) -> Message:
    """Hand the subject's file to its owner or an admin, to them alone; raises UserError."""
    lora = check_subject(await own_lora(options.name, caller, context))
    layout = options.layout or LoraLayout.KOHYA
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
    takes=ExportOptions,
    handler=export_subject,
    private=True,
)
