"""The compiler's process: what it is sent, and what it says when it fails."""

import pickle
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from pipeline.engine.compile import compile_process
from pipeline.engine.compile.compilation import Compiler
from pipeline.engine.compile.compile_process import (
    CompileSpec,
    inductor_in_child,
    openvino_in_child,
    suits_openvino,
    trace,
)
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


@pytest.mark.parametrize("compiler", [inductor_in_child, openvino_in_child])
def test_a_compiler_that_fails_says_why(
    spec: CompileSpec, loaded_model: Callable[[str], LoadedModel], compiler: Compiler
) -> None:
    """Which is one line in the engine's log."""
    broken = replace(spec, weights={"no_such_layer.weight": torch.empty(1, device="meta")})

    with pytest.raises(RuntimeError, match=r"\w+Error: "):
        compiler(broken, loaded_model("pocket").denoiser.forward)


def test_openvino_compiles_where_it_is_exact_and_has_room(spec: CompileSpec) -> None:
    """In float32 on a CPU, with room for its copy of the weights; inductor does the rest."""
    half = replace(spec, weights={name: weight.half() for name, weight in spec.weights.items()})
    vast = replace(spec, weights={"unet.weight": torch.empty(1 << 45, device="meta")})

    assert suits_openvino(spec)
    assert not suits_openvino(half)
    # It has no operator for layers that run request by request.
    assert not suits_openvino(replace(spec, sizes=replace(spec.sizes, own_weights=True)))
    assert not suits_openvino(vast)
    assert not suits_openvino(replace(spec, device=torch.device("cuda:0")))


def test_without_openvino_inductor_compiles(spec: CompileSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an extra."""
    monkeypatch.setattr(compile_process, "OPENVINO", "a_package_that_nobody_has")

    assert not suits_openvino(spec)
