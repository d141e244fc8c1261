"""NaN and infinity end in a sentence that names the likely cause, for the one image that has them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL

from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.loaded_model import LoadedModel
from pipeline.engine.numbers_check import NumbersCheck
from pipeline.errors import UserError
from pipeline.models.hardware import Hardware
from pipeline.requests.batch_key import BatchKey
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.image_request import LoraUse
from tests.pipeline.conftest import a_request

_LORAS = (LoraUse(key="a", name="film", scale=0.5), LoraUse(key="b", name="crayon", scale=-3.0))
_CPU = Hardware.choose("cpu")
_OLD_GPU = replace(_CPU, dtype=torch.float16)
_HALF_VAE = replace(_CPU, vae_dtype=torch.float16)


@pytest.fixture(scope="module")
def begun(loaded_model: Callable[[str], LoadedModel]) -> DenoisingState:
    return loaded_model("pocket").begin(a_request(), ())


def sentence(rendering: DenoisingState, hardware: Hardware, **request: Any) -> str:
    rendering = replace(rendering, request=a_request(**request))
    pixels = torch.tensor(data=False)
    with pytest.raises(UserError) as refused:
        NumbersCheck.of(rendering, hardware, pixels).confirm()
    return str(refused.value)


@pytest.mark.parametrize(
    ("request_changes", "hardware", "cause"),
    [
        ({"loras": _LORAS}, _CPU, "LoRA 'crayon' at -3; lower its scale"),
        ({"controls": (ControlUse(kind=ControlKind.EDGE, image="i", scale=1.8),)}, _CPU, "the control edge at 1.8"),
        ({"guidance_scale": 25}, _CPU, "the guidance of 25; lower it"),
        ({}, _CPU, "damaged weights"),
        ({}, _OLD_GPU, "half precision (float16)"),
    ],
)
def test_latents_without_numbers_name_what_made_them(
    begun: DenoisingState, request_changes: dict[str, Any], hardware: Hardware, cause: str
) -> None:
    """What is asked for most strongly comes first, then the precision."""
    for value in (float("nan"), float("inf"), float("-inf")):
        latents = begun.latents.clone()
        latents[0, 0, 0, 0] = value
        found = sentence(replace(begun, latents=latents), hardware, **request_changes)
        assert found.startswith("The numbers of this picture grew beyond all limits while it was made; the likely ")
        assert cause in found


@pytest.mark.parametrize(
    ("hardware", "cause"), [(_HALF_VAE, "a VAE made for that"), (_CPU, "a damaged VAE or too much guidance")]
)
def test_pixels_without_numbers_name_the_vae(begun: DenoisingState, hardware: Hardware, cause: str) -> None:
    """Where the latents were sound."""
    assert cause in sentence(begun, hardware)


def test_a_vae_of_ones_own_is_named(begun: DenoisingState) -> None:
    """The model is not at fault: leaving the VAE out helps."""
    found = sentence(begun, _CPU, vae="soft")

    assert "as the VAE 'soft' decoded it" in found
    assert found.endswith("lower the guidance, or leave out vae.")


def test_a_text_without_numbers_names_the_text_encoder(begun: DenoisingState) -> None:
    """And not the latents, which are what it made of them."""
    states = begun.conditioning.states * float("nan")
    conditioning = replace(begun.conditioning, states=states)
    broken = replace(
        begun, conditionings=(conditioning,) * len(begun.conditionings), latents=begun.latents * float("nan")
    )

    assert "text encoder; the likely cause is LoRA 'crayon' at -3" in sentence(broken, _CPU, loras=_LORAS)


def test_an_image_that_its_vae_breaks_is_refused(
    loaded_model: Callable[[str], LoadedModel], begun: DenoisingState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Instead of being black."""
    model = loaded_model("pocket")
    decode = AutoencoderKL.decode

    def broken(vae: AutoencoderKL, *latents: Any, **options: Any) -> Any:
        return (decode(vae, *latents, **options)[0] * float("nan"),)

    monkeypatch.setattr(AutoencoderKL, "decode", broken)
    finished = model.finish(begun, BatchKey(shape=model.shape(begun.request), bucket=2))

    with pytest.raises(UserError, match="as the model's VAE decoded it"):
        finished.png()
