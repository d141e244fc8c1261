"""The compiler's process: what it is sent, and what it says when it fails."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from pipeline.engine.compile.compile_process import CompileSpec, compile_in_child, trace
from pipeline.engine.loaded_model import LoadedModel
from tests.pipeline.conftest import a_request


@pytest.fixture
def spec(loaded_model: Callable[[str], LoadedModel]) -> CompileSpec:
    """That of a batch of two rows."""
    model, request = loaded_model("pocket"), a_request()
    memory = model.denoiser.open(2, pages=0)
    model.denoiser.assign(memory, model.begin(request, ()), (0, 1))
    shape = model.shape(request)
    sizes = model.denoiser.sizes(memory, shape.height, shape.width)
    return CompileSpec.of(model.denoiser.forward, sizes, torch.device("cpu"))


def test_a_spec_is_small_and_holds_no_numbers(spec: CompileSpec) -> None:
    """It goes through a pipe, whatever the model's size."""
    tensors = [*spec.weights.values(), *spec.sizes.flat()]

    assert all(tensor.device.type == "meta" for tensor in tensors)
    assert len(pickle.dumps(spec)) < 1_000_000


def test_a_graph_takes_the_weights_and_then_the_inputs(spec: CompileSpec) -> None:
    """By the names that the UNet has for them, each of its size."""
    exported = trace(spec)

    named = dict(zip(exported.weights, exported.example_inputs, strict=False))
    assert all(own.shape == spec.weights[name.removeprefix("unet.")].shape for name, own in named.items())
    rest = exported.example_inputs[len(exported.weights) :]
    assert [tensor.shape for tensor in rest] == [tensor.shape for tensor in spec.sizes.flat()]


def test_a_compiler_that_fails_says_why(spec: CompileSpec) -> None:
    """Which is one line in the engine's log."""
    with pytest.raises(RuntimeError, match=r"\w+Error: "):
        compile_in_child(replace(spec, weights={"no_such_layer.weight": torch.empty(1, device="meta")}))
