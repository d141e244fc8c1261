"""All the commands, in the order in which help lists them, and all kinds of job."""

from typing import Final

from handlers.commands.command import Command
from handlers.community.cancel import COMMAND as CANCEL
from handlers.community.help import COMMAND as HELP
from handlers.community.history import COMMAND as HISTORY
from handlers.community.privacy import COMMAND as PRIVACY
from handlers.community.queue import COMMAND as QUEUE
from handlers.community.settings import COMMAND as SETTINGS
from handlers.images.control import COMMANDS as CONTROL_COMMANDS
from handlers.images.control_preview import JOB as MAP_JOB
from handlers.images.edit import COMMAND as EDIT
from handlers.images.image_actions import JOB as IMAGINE_JOB
from handlers.images.imagine import COMMAND as IMAGINE
from handlers.images.scale_grid import COMMAND as LORA_MIX
from handlers.images.scale_grid import JOB as MIX_JOB
from handlers.images.upscale import COMMAND as UPSCALE
from handlers.images.upscale import JOB as ENLARGE_JOB
from handlers.jobs.job_spec import JobSpecs
from handlers.loras.add import COMMAND as LORA_ADD
from handlers.loras.add import JOB as ADD_JOB
from handlers.loras.credentials import COMMAND as LORA_KEY
from handlers.loras.library import COMMANDS as LORA_COMMANDS
from handlers.loras.merge import COMMAND as LORA_FUSE
from handlers.loras.subject_export import COMMAND as SUBJECT_EXPORT
from handlers.loras.subjects import COMMANDS as SUBJECT_COMMANDS
from handlers.training.preview import ADD as TRAIN_ADD
from handlers.training.preview import COMMAND as TRAIN_AGAIN
from handlers.training.preview import JOB as CHECK_JOB
from handlers.training.retrain import COMMAND as SUBJECT_RETRAIN
from handlers.training.train import COMMANDS as TRAIN_COMMANDS
from handlers.training.train import JOB as TRAIN_JOB

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

JOBS: Final = JobSpecs((IMAGINE_JOB, MAP_JOB, MIX_JOB, ENLARGE_JOB, ADD_JOB, CHECK_JOB, TRAIN_JOB))
