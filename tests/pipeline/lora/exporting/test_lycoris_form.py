"""What Limner exports is what LyCORIS reads, and what Limner reads again."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.exporting.lycoris_form import lycoris_tensors
from pipeline.lora.format.parts import Axis, Before, Difference, LowRank, Magnitude, Part, Stretch, Turn, TurnIn
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import weight_change
from pipeline.lora.importing.base_layers import layers_of
from pipeline.lora.importing.changes import change_of
from pipeline.lora.importing.parts import TensorRole
from tests.pipeline.lora.format.wide import (
    CASES,
    NAME,
    Layer,
    error,
    parts_in,
    seeded,
    some_inputs,
    stored,
    through,
)
from tests.pipeline.lora.importing.oracle import hooked

LIMIT = 1e-6
WEIGHT = (12, 8, 3, 3)
HALVES = LowRank(down=torch.ones(2, 8, 3, 3), up=torch.ones(12, 2))
# LyCORIS would build these with other shapes than the exported ones, whose cores and halves are multiplied out.
MULTIPLIED = {"LoHa of rank 8": "lora", "LoKr, both in halves": "lora", "LoHa of rank 32, tucker": "loha"}


def read_again(tensors: dict[str, Tensor], layer: Layer) -> tuple[Part, ...]:
    shape = layers_of({"unet": torch.nn.Sequential(layer)})[NAME]
    return change_of({TensorRole(name): tensor.double() for name, tensor in tensors.items()}, shape).parts


@pytest.mark.parametrize("case", [case for case in CASES if case not in MULTIPLIED])
@pytest.mark.parametrize("name", ["linear 640", "3x3 640"])
def test_lycoris_reads_it(name: str, case: str, tmp_path: Path) -> None:
    """With the options that the file was trained with, its own forward does the same; so does Limner's import."""
    algorithm, options = CASES[case]
    layer = seeded(name)
    inputs = some_inputs(layer)
    tensors, change = hooked(algorithm, layer, inputs, **options)
    (tmp_path / "own").mkdir()
    exported = lycoris_tensors(parts_in(stored(tensors, layer, tmp_path / "own")), tuple(layer.weight.shape))

    again = weight_change(read_again(exported, layer), layer.weight, 1.0, ScaleRule.LINEAR)

    assert error(through(again, inputs), change) < LIMIT
    own: dict[str, Any] = {"alpha": float(exported["alpha"])} if "alpha" in options else {}
    if (ranked := next((end for end in ("lora_down.weight", "a2.weight") if end in exported), None)) is not None:
        own |= {"lora_dim": len(exported[ranked]), "use_tucker": False}
    # What is no number of a file's, such as the switch for a learnt scalar, is as it was.
    same = {end: tensor for end, tensor in tensors.items() if end != "lora_mid.weight"}
    _, theirs = hooked(algorithm, layer, inputs, tensors=same | exported, **options | own)
    assert error(theirs, change) < LIMIT


@pytest.mark.parametrize("case", MULTIPLIED)
def test_products_that_were_multiplied_out_are_another_algorithms(case: str, tmp_path: Path) -> None:
    """Whose change is the same."""
    algorithm, options = CASES[case]
    layer = seeded("3x3 640")
    inputs = some_inputs(layer)
    tensors, change = hooked(algorithm, layer, inputs, **options)

    exported = lycoris_tensors(parts_in(stored(tensors, layer, tmp_path)), tuple(layer.weight.shape))

    assert ("lora_up.weight" in exported) is (MULTIPLIED[case] == "lora")
    again = weight_change(read_again(exported, layer), layer.weight, 1.0, ScaleRule.LINEAR)
    assert error(through(again, inputs), change) < LIMIT


@pytest.mark.parametrize(
    "parts",
    [
        (Part(change=Difference(values=torch.ones(WEIGHT)), scale=0.5),),
        (Part(change=HALVES, scale=0.5), Part(change=HALVES)),
        (Part(change=Before(down=torch.ones(1, 8), up=torch.ones(8, 1))),),
        (Part(change=Before(down=torch.ones(1, 8), up=torch.ones(8, 1))), Part(change=HALVES)),
        (Part(change=Stretch(gain=torch.ones(8), axis=Axis.IN), scale=-2.0),),
    ],
)
def test_what_can_be_one_algorithm_together_is_written(parts: tuple[Part, ...]) -> None:
    """With scales folded in, and halves of unlike rank filled with zeros."""
    layer = torch.nn.Conv2d(8, 12, 3).double().requires_grad_(requires_grad=False)
    wanted = weight_change(parts, layer.weight, 1.0, ScaleRule.LINEAR)

    again = read_again(lycoris_tensors(parts, WEIGHT), layer)

    torch.testing.assert_close(weight_change(again, layer.weight, 1.0, ScaleRule.LINEAR), wanted)


@pytest.mark.parametrize(
    ("parts", "sentence"),
    [
        ((Part(change=HALVES, magnitude=Magnitude(norms=torch.ones(12)), scale=0.5),), "export its LoRAs one by one"),
        ((Part(change=Turn(blocks=torch.zeros(1, 3, 4, 4)), scale=0.5),), "export its LoRAs one by one"),
        (
            (Part(change=HALVES), Part(change=Stretch(gain=torch.ones(12), axis=Axis.OUT))),
            "export its LoRAs one by one",
        ),
        ((Part(change=TurnIn(blocks=torch.zeros(2, 4, 4))),), "PEFT alone knows"),
        ((Part(change=Stretch(gain=torch.ones(12), axis=Axis.BOTH)),), "PEFT alone knows"),
    ],
)
def test_what_no_other_program_reads_is_one_sentence(parts: tuple[Part, ...], sentence: str) -> None:
    """That says what to do."""
    with pytest.raises(UserError, match=sentence):
        lycoris_tensors(parts, WEIGHT)
