"""Weighted and long prompts against compel's own classes for diffusers' pipelines."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from pipeline.engine.loaded_model import LoadedModel
from tests.pipeline.conftest import a_request
from tests.pipeline.engine.diffusers_pipelines import PIPELINES, load_pipeline
from tests.pipeline.text.spellings import SPELLINGS, conditioned


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("name", PIPELINES)
def test_conditioning_equals_that_of_compel(
    name: str, spelling: str, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """For both rows, the shorter filled up with the empty text; what is pooled is of the words alone."""
    ours, theirs = SPELLINGS[spelling]
    expected = conditioned(load_pipeline(name, model_folder(name)), theirs, "blue")
    encoder = loaded_model(name)._encoder
    request = a_request(prompt=ours, negative_prompt="blue")

    conditioning = encoder.encode(request, ())

    assert conditioning.states.shape[1] == 77 * encoder.windows(request)
    torch.testing.assert_close(conditioning.states, expected, atol=1e-5, rtol=1e-5)
    if conditioning.pooled is not None and spelling == "raised and lowered":
        plain = encoder.encode(a_request(prompt="a red fox, snow", negative_prompt="blue"), ())
        assert plain.pooled is not None
        assert torch.equal(conditioning.pooled, plain.pooled)
