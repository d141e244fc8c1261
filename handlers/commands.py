"""All the commands, in the order in which help lists them."""

from typing import Final

from handlers.cancel import COMMAND as CANCEL
from handlers.command import Command
from handlers.control import COMMANDS as CONTROL_COMMANDS
from handlers.edit import COMMAND as EDIT
from handlers.help import COMMAND as HELP
from handlers.history import COMMAND as HISTORY
from handlers.imagine import COMMAND as IMAGINE
from handlers.lora_add import COMMAND as LORA_ADD
from handlers.lora_fuse import COMMAND as LORA_FUSE
from handlers.lora_key import COMMAND as LORA_KEY
from handlers.lora_library import COMMANDS as LORA_COMMANDS
from handlers.lora_mix import COMMAND as LORA_MIX
from handlers.privacy import COMMAND as PRIVACY
from handlers.queue import COMMAND as QUEUE
from handlers.settings import COMMAND as SETTINGS
from handlers.subject import COMMANDS as SUBJECT_COMMANDS
from handlers.subject_export import COMMAND as SUBJECT_EXPORT
from handlers.subject_retrain import COMMAND as SUBJECT_RETRAIN
from handlers.train import COMMANDS as TRAIN_COMMANDS
from handlers.train_sheet import ADD as TRAIN_ADD
from handlers.train_sheet import COMMAND as TRAIN_AGAIN
from handlers.upscale import COMMAND as UPSCALE

COMMANDS: Final[tuple[Command, ...]] = (
    IMAGINE,
    EDIT,
    *CONTROL_COMMANDS,
    UPSCALE,
    QUEUE,
    CANCEL,
    HISTORY,
    LORA_ADD,
    *LORA_COMMANDS,
    LORA_MIX,
    LORA_FUSE,
    LORA_KEY,
    *TRAIN_COMMANDS,
    TRAIN_ADD,
    TRAIN_AGAIN,
    *SUBJECT_COMMANDS,
    SUBJECT_RETRAIN,
    SUBJECT_EXPORT,
    HELP,
    PRIVACY,
    SETTINGS,
)
