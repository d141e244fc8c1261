"""What a model is, before any weight of it is read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.models.source import ModelSource
from pipeline.requests.image_request import Scheduler
from pipeline.requests.spacing import Spacing
from tests.pipeline.conftest import a_request


@pytest.mark.slow  # loads torch, to save the model
def test_facts_are_read_from_configs_and_headers(model_folder: Callable[[str], Path]) -> None:
    """Family, native size, defaults, hash, without loading anything."""
    pocket, sd15 = ModelSource.parse("pocket").facts(), ModelSource.parse(str(model_folder("sd15"))).facts()

    assert (pocket.name, pocket.family, pocket.width, pocket.height) == ("pocket", ModelFamily.SDXL, 128, 128)
    assert (sd15.name, sd15.family, sd15.width, sd15.max_pixels) == ("sd15", ModelFamily.SD15, 64, 128 * 128)
    assert len(pocket.hash) == 10
    assert pocket.hash != sd15.hash
    assert 10e6 < pocket.parameters < 20e6
    pocket.check(a_request(width=256, height=256))
    with pytest.raises(InvalidRequest, match="use up to 65,536 pixels, such as 256×256"):
        pocket.check(a_request(width=264, height=256))


@pytest.mark.slow  # loads torch, to save the model
def test_a_model_states_its_own_defaults(copy: Path) -> None:
    """In `limner.json`, so that a few-step model is asked for few steps."""
    own = {"steps": 6, "guidance_scale": 1.5, "scheduler": "lcm", "upscale_strength": 0.2}
    (copy / "limner.json").write_text(json.dumps(own))

    facts = ModelSource.parse(str(copy)).facts()

    assert (facts.steps, facts.guidance_scale, facts.scheduler) == (6, 1.5, Scheduler.LCM)
    assert facts.upscale_strength == 0.2

    (copy / "limner.json").write_text(json.dumps({"scheduler": "DPM++ 2M Karras"}))
    named = ModelSource.parse(str(copy)).facts()
    (copy / "limner.json").write_text(json.dumps({"spacing": "trailing"}))
    spaced = ModelSource.parse(str(copy)).facts()

    assert (named.scheduler, named.spacing) == (Scheduler.DPMPP_2M, Spacing.KARRAS)
    assert (spaced.scheduler, spaced.spacing) == (Scheduler.EULER, Spacing.TRAILING)

    (copy / "limner.json").write_text(json.dumps({"steps": 6, "guidance": 1.5}))
    with pytest.raises(UserError, match=r"states 'guidance', .* it may state steps, guidance_scale, "):
        ModelSource.parse(str(copy)).facts()
