"""Each algorithm's change of weight against LyCORIS's own forward, in float64."""

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from pipeline.errors import UserError
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import weight_change
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind, layers_of
from pipeline.lora.importing.changes import Algorithm, LayerChange, change_of
from pipeline.lora.importing.parts import TensorRole
from tests.pipeline.lora.importing.oracle import Layer, bare, judge

LIMIT = 1e-6
SMALL: dict[str, Any] = {"lora_dim": 4, "alpha": 2.0}
DORA = {"weight_decompose": True}
COLUMNS = {**DORA, "wd_on_out": False}
CASES: list[tuple[str, dict[str, Any]]] = [
    ("lora", SMALL),
    ("lora", {**SMALL, "alpha": -1.5}),
    ("lora", {**SMALL, "alpha": 0}),
    ("lora", {**SMALL, "use_tucker": True}),
    ("lora", {**SMALL, "rs_lora": True}),
    ("lora", {**SMALL, "use_scalar": True}),
    ("lora", SMALL | DORA),
    ("lora", SMALL | COLUMNS),
    ("lora", SMALL | COLUMNS | {"use_tucker": True}),
    ("loha", SMALL),
    ("loha", {**SMALL, "lora_dim": 20}),
    ("loha", {**SMALL, "use_tucker": True}),
    ("loha", {**SMALL, "rs_lora": True}),
    ("loha", SMALL | DORA),
    ("loha", SMALL | COLUMNS),
    ("lokr", SMALL),
    ("lokr", {**SMALL, "lora_dim": 1}),
    ("lokr", {**SMALL, "lora_dim": 1, "use_tucker": True}),
    ("lokr", {**SMALL, "lora_dim": 1, "decompose_both": True}),
    ("lokr", {**SMALL, "lora_dim": 1, "decompose_both": True, "use_tucker": True}),
    ("lokr", {**SMALL, "full_matrix": True}),
    ("lokr", {**SMALL, "factor": 2, "lora_dim": 2}),
    ("lokr", {**SMALL, "factor": 4, "lora_dim": 1, "unbalanced_factorization": True}),
    ("lokr", SMALL | DORA),
    ("lokr", SMALL | COLUMNS),
    ("ia3", {}),
    ("ia3", {"train_on_input": True}),
    ("glora", SMALL),
    ("glora", {**SMALL, "lora_dim": 30}),
    ("diag-oft", {"lora_dim": 4}),
    ("diag-oft", {"lora_dim": 4, "constraint": 0.001, "rescaled": True}),
    ("boft", {"lora_dim": 4}),
    ("boft", {"lora_dim": 8, "constraint": 0.001, "rescaled": True}),
    ("full", {}),
]
LAYERS: dict[str, Layer] = {
    "linear": nn.Linear(24, 32),
    "square": nn.Linear(32, 32, bias=False),
    "3x3": nn.Conv2d(12, 32, 3, padding=1),
    "1x1": nn.Conv2d(24, 16, 1),
}
NORMS: dict[str, Layer] = {"layer": nn.LayerNorm(12), "group": nn.GroupNorm(4, 12)}


def described(layer: Layer) -> BaseLayer:
    return layers_of({"unet": nn.Sequential(layer)})["unet.0"]


def error(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).norm() / theirs.norm())


def seeded(layer: Layer) -> Layer:
    generator = torch.Generator().manual_seed(0)
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator) / parameter[0].numel() ** 0.5
    return bare(layer)


class TestAgainstLycoris:
    """The whole change, weight and bias."""

    @pytest.mark.parametrize("layer", LAYERS)
    @pytest.mark.parametrize(("algorithm", "options"), CASES, ids=str)
    def test_weight_equals_the_forward(self, algorithm: str, options: dict[str, Any], layer: str) -> None:
        """Linear and Conv2d alike."""
        base = seeded(LAYERS[layer])
        judged = judge(algorithm, base, seed=1, **options)

        change = change_of(parts(judged.tensors), described(base))

        assert error(whole(change, base.weight), judged.weight) < LIMIT
        assert (change.bias is None) == (judged.bias is None)
        if judged.bias is not None and change.bias is not None:
            assert error(change.bias, judged.bias) < LIMIT

    @pytest.mark.parametrize("norm", NORMS)
    def test_norms_equal_the_forward(self, norm: str) -> None:
        """LayerNorm and GroupNorm, weight and bias."""
        base = seeded(NORMS[norm])
        judged = judge("norm", base, seed=1)

        change = change_of(parts(judged.tensors), described(base))

        assert change.algorithms == {Algorithm.NORM}
        assert change.gain is not None
        assert error(change.gain, judged.weight) < LIMIT
        assert judged.bias is not None
        assert change.bias is not None
        assert error(change.bias, judged.bias) < LIMIT

    @pytest.mark.parametrize(("axis", "first"), [(DORA, 32), (COLUMNS, 1)])
    def test_the_fixtures_have_the_axis_that_they_claim(self, axis: dict[str, Any], first: int) -> None:
        """LyCORIS passes over a keyword that it does not know: the shape of dora_scale tells."""
        judged = judge("lora", seeded(nn.Linear(24, 32)), seed=1, **SMALL, **axis)

        assert judged.tensors["dora_scale"].shape[0] == first


class TestRefusals:
    """Tensors that make no change."""

    @given(lost=st.sampled_from([(case, index) for case in range(len(CASES)) for index in range(12)]))
    def test_a_lost_tensor_is_refused_or_was_optional(self, lost: tuple[int, int]) -> None:
        """Whatever single tensor a file lacks, the layer is refused unless it has a meaning without."""
        (algorithm, options), index = CASES[lost[0]], lost[1]
        base = seeded(nn.Linear(24, 32))
        tensors = parts(judge(algorithm, base, seed=1, **options).tensors)
        if index >= len(tensors):
            return
        part = list(tensors)[index]
        left = {own: tensor for own, tensor in tensors.items() if own is not part}
        optional = {TensorRole.ALPHA, TensorRole.MAGNITUDE, TensorRole.RESCALE, TensorRole.BIAS_DIFFERENCE}
        if part in optional or (algorithm == "full" and part is TensorRole.DIFFERENCE):
            change_of(left, described(base))
            return
        with pytest.raises(UserError) as caught:
            change_of(left, described(base))
        assert len(str(caught.value)) <= 200

    @given(
        case=st.sampled_from(CASES), index=st.integers(0, 9), axis=st.integers(0, 3), change=st.sampled_from([-1, 1, 5])
    )
    def test_a_wrong_side_is_refused(
        self, case: tuple[str, dict[str, Any]], index: int, axis: int, change: int
    ) -> None:
        """A tensor that is longer or shorter on one side is refused in a sentence, and never reaches a product."""
        base = seeded(LAYERS["3x3"])
        tensors = parts(judge(case[0], base, seed=1, **case[1]).tensors)
        part = list(tensors)[index % len(tensors)]
        tensor = tensors[part]
        axis %= max(tensor.ndim, 1)
        # BOFT with a stage less is BOFT.
        if tensor.numel() == 1 or (case[0] == "boft" and axis == 0):
            return
        side = max(tensor.shape[axis] + change, 1)
        if side == tensor.shape[axis]:
            return
        wrong = torch.ones(*tensor.shape[:axis], side, *tensor.shape[axis + 1 :]).double()
        with pytest.raises(UserError) as caught:
            change_of({**tensors, part: wrong}, described(base))
        assert len(str(caught.value)) <= 200

    @given(
        case=st.sampled_from(CASES),
        stray=st.sampled_from([part for part in TensorRole if part is not TensorRole.ALPHA]),
    )
    def test_a_stray_part_is_refused(self, case: tuple[str, dict[str, Any]], stray: TensorRole) -> None:
        """No tensor is passed over: one that an algorithm does not know, or cannot use in its shape, is refused."""
        base = seeded(nn.Linear(24, 32))
        tensors = parts(judge(case[0], base, seed=1, **case[1]).tensors)
        if stray in tensors:
            return
        with pytest.raises(UserError):
            change_of({**tensors, stray: torch.ones(3, 3, 3).double()}, described(base))

    def test_a_kronecker_bomb_is_refused_before_it_is_multiplied(self) -> None:
        """Two matrices of a few kilobytes would make one of sixteen terabytes."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.LINEAR, shape=(1280, 1280), bias=False)
        tensors = {
            TensorRole.KRON_1: torch.ones(1, 1).double().expand(2048, 1024),
            TensorRole.KRON_2: torch.ones(1024, 2048).double(),
        }

        with pytest.raises(UserError, match="do not fit"):
            change_of(tensors, layer)

    def test_a_norm_takes_no_low_rank_change(self) -> None:
        """A vector has no rank."""
        layer = BaseLayer(name="unet.0", kind=LayerKind.NORM, shape=(6,), bias=True)
        tensors = {TensorRole.DOWN: torch.ones(1, 6).double(), TensorRole.UP: torch.ones(6, 1).double()}

        with pytest.raises(UserError, match="no known algorithm"):
            change_of(tensors, layer)


def parts(tensors: dict[str, Tensor]) -> dict[TensorRole, Tensor]:
    return {TensorRole(name): tensor.double() for name, tensor in tensors.items()}


def whole(change: LayerChange, base: Tensor) -> Tensor:
    return weight_change(change.parts, base.detach(), 1.0, ScaleRule.LINEAR)
