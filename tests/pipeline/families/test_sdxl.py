"""What is written of SDXL agrees with what diffusers knows of it."""

from pipeline.families.sdxl import SDXL
from tests.pipeline.families.agreement import base_repository, text_encoders


def test_the_description_agrees_with_diffusers() -> None:
    """Its class exists and has these text encoders, and its one-file checkpoints have these configs."""
    assert text_encoders(SDXL) == list(SDXL.text_encoders) == list(SDXL.kohya_prefixes)
    assert base_repository("xl_base") == SDXL.base_repository
