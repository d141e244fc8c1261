"""What is written of SD 1.5 agrees with what diffusers knows of it."""

from pipeline.families.sd import SD15
from tests.pipeline.families.agreement import base_repository, text_encoders


def test_the_description_agrees_with_diffusers() -> None:
    """Its class exists and has these text encoders, and its one-file checkpoints have these configs."""
    assert text_encoders(SD15) == list(SD15.text_encoders) == list(SD15.kohya_prefixes)
    assert base_repository("v1") == SD15.base_repository
