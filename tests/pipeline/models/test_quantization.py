"""Base weights in float8: nearly the same image, the same LoRA, far less memory."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from torch import Tensor, nn
from torch.utils._python_dispatch import is_traceable_wrapper_subclass

from pipeline.engine.compile.compile_process import CompileSpec, trace
from pipeline.engine.compile.forward import CompiledForward
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import UserError
from pipeline.images.metadata import read
from pipeline.lora.serving.layers import RowWeights, adapt
from pipeline.models.hardware import Hardware
from pipeline.models.quantization import quantize
from pipeline.models.source import ModelSource
from pipeline.requests.device_messages import Rendered
from pipeline.requests.device_spec import Weights
from pipeline.requests.image_request import ImageRequest, LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.random_loras import random_lora
from tests.pipeline.tiny_models import POCKET, save_speck

FULL, FP8 = Weights.FULL, Weights.FP8


@pytest.fixture(scope="module")
def loras(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of an everyday strength."""
    folder = tmp_path_factory.mktemp("loras")
    pipeline = StableDiffusionXLPipeline.from_pretrained(POCKET)
    lora = random_lora(pipeline, "style", rank=8, wanted=lambda name: ".attentions." in name, seed=1)
    lora.save(folder)
    return folder


@pytest.fixture(scope="module")
def models(loras: Path) -> Callable[[Weights], LoadedModel]:
    pytest.importorskip("torchao", reason="the extra fp8 is not installed")
    made = {}
    for weights in Weights:
        spec = replace(SPEC, loras=loras, weights=weights)
        made[weights] = LoadedModel(ModelSource.parse("pocket"), Hardware.choose("cpu"), spec)
    return made.__getitem__


def final_latents(model: LoadedModel, request: ImageRequest) -> Tensor:
    model.loras.want(request.loras)
    adapters = model.loras.acquire(request, 60)
    assert adapters is not None
    memory = model.denoiser.open(2, pages=1)
    rendering = model.begin(request, adapters)
    model.denoiser.assign(memory, rendering, (0, 1))
    for _ in range(request.steps):
        model.denoiser.advance(memory, [rendering])
    return rendering.latents


def with_lora(request: ImageRequest) -> ImageRequest:
    return replace(request, loras=(LoraUse(key="style", name="style"),))


def relative_error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def size(module: nn.Module) -> int:
    """Bytes of its weights as they are kept."""
    return sum(part.nbytes for weight in module.parameters() for part in parts(weight))


def parts(weight: Tensor) -> list[Tensor]:
    if not is_traceable_wrapper_subclass(weight):
        return [weight]
    names, _ = weight.__tensor_flatten__()
    return [getattr(weight, name) for name in names]


def test_a_lora_changes_a_layer_by_the_same(models: Callable[[Weights], LoadedModel]) -> None:
    """To the last digits: its own weights are not rounded."""
    inputs, down, up = torch.randn(2, 5, 64), torch.randn(1, 2, 64, 16), torch.randn(1, 2, 16, 32)
    network = nn.Sequential(nn.Linear(64, 32)).requires_grad_(False)
    (bank,) = adapt(network).banks
    change, plain = {}, {}
    for weights in Weights:
        if weights is FP8:
            quantize(network, Hardware.choose("cpu"))
        with torch.inference_mode():
            plain[weights] = network(inputs)
            bank.rows = RowWeights(down=down, up=up, used={0})
            change[weights] = network(inputs) - plain[weights]
            bank.rows = None

    assert 0.005 < relative_error(plain[FP8], plain[FULL]) < 0.05
    assert relative_error(change[FP8], change[FULL]) < 1e-5


def test_an_image_begins_nearly_the_same(models: Callable[[Weights], LoadedModel]) -> None:
    """With a LoRA or without, and so does what the LoRA does to it; what steps add to a rounding is the model's own."""
    request = a_request(steps=2)
    full, fp8 = ([final_latents(models(weights), one) for one in (request, with_lora(request))] for weights in Weights)

    assert relative_error(fp8[0], full[0]) < 0.15
    assert relative_error(fp8[1], full[1]) < 0.15
    assert relative_error(fp8[1] - fp8[0], full[1] - full[0]) < 0.3


def test_the_weights_of_linears_take_a_quarter(models: Callable[[Weights], LoadedModel]) -> None:
    """And a scale for each output; convolutions stay as they are."""
    linears = {}
    for weights in Weights:
        unet = models(weights)._checkpoint.unet
        linears[weights] = sum(size(module) for module in unet.modules() if isinstance(module, nn.Linear))

    assert linears[FP8] < 0.3 * linears[FULL]


def test_a_compiled_forward_takes_them(models: Callable[[Weights], LoadedModel], tmp_path: Path) -> None:
    """The graph reads float8 as the eager forward does."""
    pytest.importorskip("torchao", reason="the extra fp8 is not installed")
    save_speck(tmp_path / "speck")
    source = ModelSource.parse(str(tmp_path / "speck"))
    model = LoadedModel(source, Hardware.choose("cpu"), replace(SPEC, weights=FP8))
    denoiser, request = model.denoiser, a_request(model="speck")
    memory, shape = denoiser.open(2, pages=0), model.shape(request)
    denoiser.assign(memory, model.begin(request, ()), (0, 1))
    sizes = denoiser.sizes(memory, shape.height, shape.width)
    exported = trace(CompileSpec.of(denoiser.forward, sizes, torch.device("cpu")))
    weights = tuple(denoiser.forward.get_parameter(name) for name in exported.weights)
    inputs = memory.inputs(torch.randn(2, 4, shape.height, shape.width), torch.full((2,), 500.0), [])

    with torch.inference_mode():
        compiled = CompiledForward(graph=exported.module, weights=weights)(inputs)

        assert relative_error(compiled, denoiser.forward(*inputs.arguments)) < 1e-5


def test_an_image_tells_of_its_weights(models: Callable[[Weights], LoadedModel]) -> None:
    """They are part of how exactly it was computed."""
    engine = Engine(replace(SPEC, weights=FP8))
    engine.admit("a", a_request(steps=1))
    events = [event for _ in range(3) for event in engine.step()]

    (png,) = [event.png for event in events if isinstance(event, Rendered)]
    assert read(png).dtype == "float32, fp8"


def test_without_torchao_the_remedy_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """In one sentence, at the start."""
    monkeypatch.setitem(sys.modules, "torchao.quantization", None)

    with pytest.raises(UserError, match="install it with `pip install 'limner\\[fp8\\]'`"):
        Engine(replace(SPEC, weights=FP8))
