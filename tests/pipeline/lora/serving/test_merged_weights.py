"""Own weights that are kept: within the budget, and gone before any LoRA is."""

from pathlib import Path

import torch

from tests.pipeline.lora.serving.served_layers import ROWS, Served, Use

DIFFERENCE: Use = (("difference", 0.5),)


def test_a_difference_is_filled_once_where_there_is_room(kinds: Path) -> None:
    """The output is the same as without room, and as before it was dropped for another LoRA."""
    given = torch.randn(ROWS, 5, 640)
    roomy, full = (Served(kinds, dtype=torch.float32, budget=budget) for budget in (10**9, 0))
    layers = sum(layer.weight.nbytes for layer in roomy.pool.networks["unet"].layers.values())

    first, second, third = (served.outputs(given, {(0, 1): DIFFERENCE}) for served in (roomy, roomy, full))

    assert all(torch.equal(*pair) for pair in zip(first, second, strict=True))
    assert all(torch.equal(*pair) for pair in zip(first, third, strict=True))
    assert roomy.pool.merged.size == layers
    assert full.pool.merged.size == 0


def test_merged_weights_are_the_first_to_go(kinds: Path) -> None:
    """They are wiped, the budget holds, and what has been captured of them is known to be old."""
    served = Served(kinds, dtype=torch.float32)
    served.outputs(torch.randn(ROWS, 5, 640), {(0, 1): DIFFERENCE, (2,): (("difference", 0.7), ("dora", 1.0))})
    held, before = list(served.pool.merged._weights.values()), served.pool.merged.signature
    served.pool._budget = served.pool.size

    served.scaled((("hada", 1.0),))

    assert set(served.pool.resident) == {"difference", "dora", "hada"}
    assert served.pool.size <= served.pool._budget
    assert served.pool.merged.signature != before
    assert sum(not weight.any() for weight in held) == len(held) - len(served.pool.merged._weights) > 0


def test_a_lora_that_is_evicted_takes_them_along(kinds: Path) -> None:
    """Those of others stay."""
    served = Served(kinds, dtype=torch.float32)
    served.outputs(torch.randn(ROWS, 5, 640), {(0, 1): DIFFERENCE})

    served.pool.merged.forget("dora")
    assert served.pool.merged.size
    served.pool.merged.forget("difference")

    assert not served.pool.merged.size
