"""From prompts to what the denoiser reads: plain, weighted, long, with LoRAs of the text encoders."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.device_messages import Event, Refused, Rendered
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.text import prompt_encoder
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.diffusers_pipelines import load_pipeline
from tests.pipeline.random_loras import random_lora
from tests.pipeline.scene import IMAGES
from tests.pipeline.text.spellings import LONG, SPELLINGS, conditioned
from tests.pipeline.tiny_models import save_mote


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

    before, changed, after = (states(engine, request) for request in (plain, with_lora, plain))

    with lora.fused(pipeline):
        torch.testing.assert_close(changed, conditioned(pipeline, theirs, "blue"), atol=1e-4, rtol=1e-4)
    assert torch.equal(before, after)
    assert not torch.allclose(before, changed, atol=1e-3)


def states(engine: Engine, request: ImageRequest) -> Tensor:
    engine.admit("one", request)
    found: Tensor | None = None
    while not engine.idle:
        engine.step()
        for job in engine._jobs.values():
            found = job.rendering.conditioning.states if job.rendering else found
    assert found is not None
    return found


def test_loras_of_the_text_encoders_change_skipped_layers_too(
    model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """As diffusers with the LoRA fused."""
    pipeline = load_pipeline("mote", model_folder("mote"))
    lora = random_lora(pipeline, "text", rank=8, wanted=lambda layer: layer.startswith("text"), seed=0)
    lora.save(tmp_path, family="sdxl")
    engine = Engine(replace(SPEC, models=(str(model_folder("mote")),), loras=tmp_path))
    request = a_request(
        prompt="red fox",
        steps=2,
        guidance_scale=1,
        model="mote",
        clip_skip=3,
        loras=(LoraUse(key="text", name="text"),),
    )

    ours = states(engine, request)

    with lora.fused(pipeline):
        expected = pipeline.encode_prompt("red fox", do_classifier_free_guidance=False, clip_skip=1)[0]
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(ours, states(engine, replace(request, clip_skip=1)), atol=1e-3)


@pytest.mark.parametrize(("name", "skipped"), [("mote", 3), ("sd15", 2)])
def test_clip_skip_is_that_of_diffusers(
    name: str, skipped: int, loaded_model: Callable[[str], LoadedModel], model_folder: Callable[[str], Path]
) -> None:
    """Which counts from 0 at the layer that the model reads; the negative prompt is read as the prompt is."""
    pipeline, encoder = load_pipeline(name, model_folder(name)), loaded_model(name)._encoder
    request = a_request(negative_prompt="blue", clip_skip=skipped)

    usual, own = encoder.encode(replace(request, clip_skip=1), ()), encoder.encode(request, ())

    for row, text in enumerate(("blue", request.prompt)):
        if name == "mote":
            expected, _, pooled, _ = pipeline.encode_prompt(text, do_classifier_free_guidance=False, clip_skip=1)
            assert own.pooled is not None
            torch.testing.assert_close(own.pooled[row], pooled[0], atol=1e-5, rtol=1e-5)
        else:
            # diffusers looks for the norm where transformers has it no more; this is what it does with it.
            model, ids = pipeline.text_encoder, encoder._encoders[0].tokens(text)
            expected = model.final_layer_norm(model(ids, output_hidden_states=True).hidden_states[-2])
        torch.testing.assert_close(own.states[row], expected[0], atol=1e-5, rtol=1e-5)
    assert not torch.allclose(own.states, usual.states, atol=1e-2)
    assert torch.equal(encoder.encode(replace(request, clip_skip=1), ()).states, usual.states)


def test_the_second_layer_from_the_last_is_where_sdxl_reads_anyway(loaded_model: Callable[[str], LoadedModel]) -> None:
    """As Forge counts; further than the first layer there is nothing."""
    encoder = loaded_model("mote")._encoder

    assert torch.equal(encoder.encode(a_request(clip_skip=2), ()).states, encoder.encode(a_request(), ()).states)
    with pytest.raises(InvalidRequest, match="clip skip is 4, but this model's text encoder has 3 layers; use 1 to 3"):
        encoder.encode(a_request(clip_skip=4), ())


def test_weighted_prompts_skip_layers_too(loaded_model: Callable[[str], LoadedModel]) -> None:
    """A weight of nearly 1 gives nearly what none gives."""
    encoder = loaded_model("sd15")._encoder

    plain = encoder.encode(a_request(prompt="a red fox", clip_skip=3), ()).states
    weighted = encoder.encode(a_request(prompt="a (red:1.0001) fox", clip_skip=3), ()).states

    assert not torch.equal(weighted, plain)
    torch.testing.assert_close(weighted, plain, atol=1e-3, rtol=1e-3)


def test_prompts_of_other_lengths_share_no_call_and_change_no_bit() -> None:
    """A long and a short prompt at once, each as it is alone."""
    engine = Engine(SPEC)
    short = a_request(prompt="a (red:1.4) fox", steps=2, bucket=4)
    long = a_request(prompt=LONG, steps=2, bucket=4)

    together = rendered(engine, short, long, replace(short, prompt="red fox"))

    for request, latents in zip((short, long), together, strict=False):
        assert torch.equal(rendered(engine, request)[0], latents)


def test_a_text_that_is_longer_for_the_second_tokenizer_is_counted_by_that(tmp_path: Path) -> None:
    """Its row is as long as its batch, in whatever order they come, and the others come out as without it."""
    save_mote(tmp_path / "mote")
    engine = Engine(replace(SPEC, models=(str(tmp_path / "mote"),)))
    model = engine._cache.loaded["mote"]
    short = a_request(model="mote", steps=2, bucket=4, guidance_scale=1.0)
    odd = replace(short, prompt="fox " * 40)
    first, second = model._encoder._encoders
    assert first.has_room_for(odd.prompt)
    assert not second.has_room_for(odd.prompt)

    assert model.shape(odd).windows == 2
    alone = rendered(engine, short)[0]
    assert torch.equal(rendered(engine, odd, short)[1], alone)
    assert torch.equal(rendered(engine, short, odd)[0], alone)


@pytest.mark.parametrize("field", ["prompt", "negative_prompt"])
def test_a_prompt_of_too_many_windows_is_refused(field: str) -> None:
    """By a sentence that says what would do; nobody else is harmed by it, not even under a control map."""
    engine = Engine(SPEC)
    map_ = ControlUse(kind=ControlKind.SCRIBBLE, image="scene", ready=True)

    engine.admit("good", a_request(steps=2))
    engine.admit("one", a_request(**{field: "ab, " * 480}, controls=(map_,)), images=IMAGES)

    ended: dict[str, Event] = {}
    while not engine.idle:
        ended |= {event.ticket: event for event in engine.step() if isinstance(event, Refused | Rendered)}
    assert isinstance(ended["good"], Rendered)
    name = field.replace("_", " ")
    assert ended["one"] == Refused(
        ticket="one", sentence=f"The {name} takes 20 windows of 75 tokens; shorten it to 8, about 450 words."
    )


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
