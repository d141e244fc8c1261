"""What a LoRA needs of a base that waits in host memory."""

from pathlib import Path

import torch
from accelerate import cpu_offload

from tests.pipeline.lora.serving.served_layers import ROWS, Served


def test_an_offloaded_base_is_measured_and_served_alike(kinds: Path) -> None:
    """DoRA's norms are those of the weights, wherever these are."""
    near, far = Served(kinds, dtype=torch.float32), Served(kinds, dtype=torch.float32)
    cpu_offload(far.network, execution_device=torch.device("cpu"))
    assert all(layer.weight.is_meta for layer in far.pool.networks["unet"].layers.values())
    given, uses = torch.randn(ROWS, 5, 640), {(0, 1): (("dora of columns", 0.7),), (2,): (("kron", 1.0),)}

    outputs = near.outputs(given, uses), far.outputs(given, uses)

    assert all(torch.equal(*pair) for pair in zip(*outputs, strict=True))
