"""A subject as a member names it."""

from typing import Annotated

from handlers.commands.option import Completion, Details
from pipeline.errors import InvalidRequest
from storage.library.loras import Lora


def check_subject(lora: Lora) -> Lora:
    """The LoRA itself; raises InvalidRequest for one that is no subject."""
    if not lora.subject:
        raise InvalidRequest("name", f"'{lora.name}' is no subject; /subject list shows those, /lora everything.")
    return lora


SubjectName = Annotated[str, Details("Which subject", completion=Completion.SUBJECTS, rest=True)]
