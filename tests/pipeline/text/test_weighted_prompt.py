"""Weighted and long prompts against compel's own classes for diffusers' pipelines, and their way through the engine."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from compel import CompelForSD, CompelForSDXL
from torch import Tensor

from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.families.family import ModelFamily
from pipeline.requests.device_messages import Refused, Rendered
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.text import prompt_encoder
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.test_denoiser import PIPELINES, load_pipeline
from tests.pipeline.random_loras import random_lora

LONG = "red fox, glossy style, " * 20
# As members write it, and as compel does.
SPELLINGS = {
    "raised and lowered": ("a (red:1.4) fox, (snow:0.6)", "a (red)1.4 fox, (snow)0.6"),
    "left out": ("red fox, (snow:0)", "red fox, (snow)0"),
    "long": (LONG, LONG),
    "long and weighted": (f"{LONG}(teal background:1.3), [snow]", f"{LONG}(teal background)1.3, (snow)0.90909090909"),
}


def conditioned(pipeline: Any, prompt: str, negative: str) -> Tensor:
    """The rows that compel makes for a pipeline, the negative one first."""
    made = (CompelForSDXL if hasattr(pipeline, "text_encoder_2") else CompelForSD)(pipeline)(
        prompt, negative_prompt=negative
    )
    assert made.negative_embeds is not None
    return torch.cat([made.negative_embeds, made.embeds])


def rendered(engine: Engine, *requests: ImageRequest) -> list[Tensor]:
    """The final latents of all of them, admitted at once."""
    for number, request in enumerate(requests):
        engine.admit(str(number), request)
    jobs, done = {}, set()
    while not engine.idle:
        jobs.update(engine._jobs)
        done |= {event.ticket for event in engine.step() if isinstance(event, Rendered)}
    assert len(done) == len(requests)
    return [jobs[str(number)].started.latents for number in range(len(requests))]


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


def test_a_plain_prompt_that_fits_goes_past_compel(
    loaded_model: Callable[[str], LoadedModel], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And brackets that are meant as such are plain."""
    monkeypatch.delattr(prompt_encoder, "WeightedText")
    encoder = loaded_model("pocket")._encoder

    escaped = encoder.encode(a_request(prompt=r"teal fox \(red\) :("), ())

    plain, _ = prompt_encoder.embed_plain(ModelFamily.SDXL, encoder._encoders, "teal fox (red) :(")
    assert torch.equal(escaped.states[1:], plain)


@pytest.mark.parametrize("name", ["pocket", "sd15"])
def test_loras_of_the_text_encoders_change_weighted_prompts_too(
    name: str, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Before and after a request without them, which sees nothing of them."""
    pipeline = load_pipeline(name, model_folder(name))
    lora = random_lora(pipeline, "text", rank=8, wanted=lambda layer: layer.startswith("text"), seed=0)
    lora.save(tmp_path, family="sd15" if name == "sd15" else "sdxl")
    engine = Engine(replace(SPEC, models=(str(model_folder(name)),), loras=tmp_path))
    ours, theirs = SPELLINGS["long and weighted"]
    plain = a_request(prompt=ours, negative_prompt="blue", steps=2, model=model_folder(name).name)
    with_lora = replace(plain, loras=(LoraUse(key="text", name="text"),))

    def states(request: ImageRequest) -> Tensor:
        engine.admit("one", request)
        found: Tensor | None = None
        while not engine.idle:
            engine.step()
            for job in engine._jobs.values():
                found = job.rendering.conditioning.states if job.rendering else found
        assert found is not None
        return found

    before, changed, after = states(plain), states(with_lora), states(plain)

    with lora.fused(pipeline):
        torch.testing.assert_close(changed, conditioned(pipeline, theirs, "blue"), atol=1e-4, rtol=1e-4)
    assert torch.equal(before, after)
    assert not torch.allclose(before, changed, atol=1e-3)


def test_prompts_of_other_lengths_share_no_call_and_change_no_bit() -> None:
    """A long and a short prompt at once, each as it is alone."""
    engine = Engine(SPEC)
    short = a_request(prompt="a (red:1.4) fox", steps=2, bucket=4)
    long = a_request(prompt=LONG, steps=2, bucket=4)

    together = rendered(engine, short, long, replace(short, prompt="red fox"))

    for request, latents in zip((short, long), together, strict=False):
        assert torch.equal(rendered(engine, request)[0], latents)


def test_a_prompt_of_too_many_windows_is_refused() -> None:
    """By a sentence that says what would do."""
    engine = Engine(SPEC)

    engine.admit("one", a_request(prompt="ab, " * 480))

    events = [event for _ in range(2) for event in engine.step() if isinstance(event, Refused)]
    assert [event.sentence for event in events] == [
        "The prompt takes 20 windows of 75 tokens; shorten it to 8, about 450 words."
    ]
