"""What a scheduler's config says, and what it leaves to the class that the model names."""

from pathlib import Path

import pytest

from pipeline.families.family import ModelFamily
from pipeline.models.scheduler_config import scheduler_config
from tests.pipeline.models.published import SD15, SDXL, save_configs


def test_the_class_of_the_index_counts_and_brings_its_own_noise(tmp_path: Path) -> None:
    """An LCM config that names no noise means Stable Diffusion's, whichever sampler takes it out."""
    model = SDXL.but(
        index={"scheduler": ["diffusers", "LCMScheduler"]}, scheduler={"beta_start": ..., "beta_schedule": ...}
    )

    config = scheduler_config(save_configs(model, tmp_path), ModelFamily.SDXL)

    assert (config["_class_name"], config["beta_start"]) == ("LCMScheduler", 0.00085)
    assert config["beta_schedule"] == "scaled_linear"
    assert config["beta_end"] == 0.012


@pytest.mark.parametrize(
    ("family", "expected"), [(ModelFamily.SD15, (1, False)), (ModelFamily.SDXL, (0, True))], ids=["sd15", "sdxl"]
)
def test_configs_of_2022_are_set_right_as_their_pipeline_does(
    family: ModelFamily, expected: tuple[int, bool], tmp_path: Path
) -> None:
    """Latents are never clipped to 1, and steps begin one later; SDXL's pipeline leaves both as they are said."""
    model = SD15.sampled_by("DDIMScheduler", steps_offset=0, clip_sample=True)

    config = scheduler_config(save_configs(model, tmp_path), family)

    assert (config["steps_offset"], config["clip_sample"]) == expected
