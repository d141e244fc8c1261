"""What may not come and go between the steps of an image, though a prompt's words may: LoRAs and subjects."""

from handlers.prompts.syntax import subject_names, without_scales
from handlers.prompts.tags import lora_tags
from pipeline.errors import InvalidRequest
from pipeline.text.prompt_schedule import read_schedule


def refuse_parts(prompt: str, steps: int) -> None:
    """Raise InvalidRequest where a LoRA's tag or a subject stands in some of the prompt's texts and not in others."""
    plain = without_scales(prompt)
    # The prompt itself too: a text whose step never comes is one without.
    texts = {plain, *read_schedule(plain).texts(steps)}
    tags, subjects = ({named(text) for text in texts} for named in (lora_tags, subject_names))
    if len(tags) > 1:
        tag = min(frozenset.union(*tags) - frozenset.intersection(*tags))
        timed = f"{tag.removesuffix('>')}:stop=0.5>"
        raise InvalidRequest(
            "prompt", f"{tag:.60} stands in brackets that change between steps; write its steps in it: {timed:.80}"
        )
    if len(subjects) > 1:
        name = min(frozenset.union(*subjects) - frozenset.intersection(*subjects))
        raise InvalidRequest(
            "prompt", f"@{name} stands in brackets that change between steps; name a subject outside of them."
        )
