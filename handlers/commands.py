"""All the commands, in the order in which help lists them."""

from typing import Final

from handlers.cancel import COMMAND as CANCEL
from handlers.command import Command
from handlers.help import COMMAND as HELP
from handlers.imagine import COMMAND as IMAGINE
from handlers.queue import COMMAND as QUEUE

COMMANDS: Final[tuple[Command, ...]] = (IMAGINE, QUEUE, CANCEL, HELP)
