"""Served layers against the plain reference in mixed batches, on two bases, and what neighbours do to bits: nothing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from torch import Tensor

from pipeline.families.family import ModelFamily
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.serving.adapter_pool import ScaledAdapter
from pipeline.lora.serving.row_stack import RowStack
from tests.pipeline.lora.serving.random_parts import KINDS
from tests.pipeline.lora.serving.served_layers import ALL, ROWS, Served, Use


def mixed_batches() -> Iterator[dict[tuple[int, ...], Use]]:
    """Every kind alone and in a sum, beside a request without LoRAs; rows of a request need not be neighbours."""
    for first, second in zip(ALL[::2], (*ALL[1::2], ALL[0]), strict=True):
        yield {(0, 4): (), (1,): ((first, 0.7),), (2, 3): ((first, 1.0), (second, -0.4)), (5, 7): ((second, 1.3),)}


def worst_error(served: Served, given: Tensor, uses: dict[tuple[int, ...], Use]) -> float:
    """Relative to what the LoRAs change, not to the output; over all rows and layers."""
    ours, worst = served.outputs(given, uses), 0.0
    for rows, use in uses.items():
        own = given[list(rows)]
        with torch.inference_mode():
            base, theirs = served.plain(own), served.merged(use)(own)
        for mine, plain, wanted in zip(ours, base, theirs, strict=True):
            if not use:
                assert torch.allclose(mine[list(rows)], plain, rtol=1e-12, atol=1e-12)
                continue
            worst = max(worst, float((mine[list(rows)] - wanted).norm() / (wanted - plain).norm()))
    return worst


@pytest.mark.parametrize("seed", [0, 1], ids=["base", "second base"])
def test_rows_in_mixed_batches_are_exact(kinds: Path, seed: int) -> None:
    """To 1e-6 of the change, on whatever base is served; what depends on it is measured there."""
    served = Served(kinds, seed=seed)
    given = torch.randn(ROWS, 5, 640, dtype=torch.float64)
    # Half of them suffice on another base: what each kind does there alone is tested with own weights.
    for uses in list(mixed_batches())[:: 1 + seed]:
        assert worst_error(served, given, uses) < 1e-6, uses


def test_no_neighbour_changes_a_bit(kinds: Path) -> None:
    """In float32: whatever else is there, wherever its rows are, and where all others are not a number."""
    served = Served(kinds, dtype=torch.float32)
    given = torch.randn(ROWS, 5, 640)
    for kind, other in zip(ALL, (*ALL[5:], *ALL[:5]), strict=True):
        own: Use = ((kind, 0.8),)
        alone = served.outputs(given, {(0, 1): own})
        spoilt = torch.full_like(given, float("nan"))
        spoilt[[3, 6]] = given[:2]

        crowd = served.outputs(given, {(0, 1): own, (2, 3): ((other, 1.0),), (4,): (), (5, 7): own})
        moved = served.outputs(spoilt, {(3, 6): own, (0, 1): ((other, 0.5),), (2, 5): ()})

        for first, second, third in zip(alone, crowd, moved, strict=True):
            assert torch.equal(first[:2], second[:2]), kind
            assert torch.equal(first[:2], third[[3, 6]]), kind


def test_the_order_of_loras_changes_no_bit(kinds: Path) -> None:
    served = Served(kinds, dtype=torch.float32)
    given, use = torch.randn(ROWS, 5, 640), (("dora", 0.5), ("kron", 1.2), ("low rank", -0.3))

    orders = [served.outputs(given, {(0,): own}) for own in (use, use[::-1])]

    assert all(torch.equal(*pair) for pair in zip(*orders, strict=True))


def test_what_was_evicted_returns_the_same_and_leaves_nothing(kinds: Path) -> None:
    """In its own bytes: the device's memory is bounded by them."""
    served = Served(kinds, dtype=torch.float32, budget=0)
    given, use = torch.randn(ROWS, 5, 640), (("dora over hada, of columns", 0.5),)
    before = served.outputs(given, {(0, 1): use})
    (adapter,) = served.pool._adapters.values()
    assert adapter.arena is not None
    assert served.pool.size == adapter.size + served.pool.scratch.size
    served.release()

    served.outputs(given, {(0, 1): (("kron", 1.0),)})
    served.release()

    assert served.pool.resident == ("kron",)
    assert not adapter.arena.arena.bytes.any()
    assert all(torch.equal(*pair) for pair in zip(before, served.outputs(given, {(0, 1): use}), strict=True))


def test_a_request_that_leaves_takes_its_own_weights_along(kinds: Path) -> None:
    """The scratch is wiped, and its rows are zeros."""
    served = Served(kinds, dtype=torch.float32)
    given = torch.randn(ROWS, 5, 640)
    stack = RowStack(served.pool, "unet", rows=ROWS, pages=4, own=True)
    stack.put((0, 1), served.scaled((("dora", 1.0),)))
    stack.put((2, 3), ())
    with torch.inference_mode(), stack.applied():
        before = served.network(given)
    assert any(slot.any() for slot in served.pool.scratch._slots.values())
    together = stack.signature

    stack.clear((0, 1))
    with torch.inference_mode(), stack.applied():
        after = served.network(given)

    assert not any(slot.any() for slot in served.pool.scratch._slots.values())
    assert stack.signature != together
    assert before[0][:2].any()
    assert not after[0][:2].any()
    assert torch.equal(before[0][2:4], after[0][2:4])


def rank_of_many(count: int) -> Sequence[str]:
    return [f"low rank {number}" for number in range(count)]


@dataclass(frozen=True, kw_only=True)
class Blocked(ScaledAdapter):
    """A LoRA with a scale of its own for each layer."""

    factors: Mapping[str, float]

    def scale_of(self, layer: str) -> float:
        return self.scale * self.factors[layer]


@pytest.mark.parametrize("kind", ["low rank", "dora", "gain of outputs and biases"])
def test_a_scale_may_differ_from_layer_to_layer(kinds: Path, kind: str) -> None:
    """In pages, on own weights and in biases."""
    served, factors = Served(kinds), {"narrow": 0.5, "wide": 0.0, "conv": 1.5, "grouped": -1.0}
    given = torch.randn(ROWS, 5, 640, dtype=torch.float64)
    (part,) = served.scaled(((kind, 0.8),))
    stack = RowStack(served.pool, "unet", rows=ROWS, pages=4, own=True)
    stack.put((0, 1), [Blocked(adapter=part.adapter, scale=0.8, factors=factors)])

    with torch.inference_mode(), stack.applied():
        ours, theirs = served.network(given), served.merged(((kind, 0.8),), factors)(given)

    for mine, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(mine[:2], wanted[:2], rtol=1e-9, atol=1e-9)


def test_rows_that_need_own_weights_are_never_served_without(kinds: Path) -> None:
    """A batch that has none refuses them: to leave their changes out would be wrong without a word."""
    served = Served(kinds)
    stack = RowStack(served.pool, "unet", rows=ROWS, pages=4)

    with pytest.raises(ValueError, match="own weights"):
        stack.put((0,), served.scaled((("kron", 1.0),)))


def test_many_small_loras_together_run_on_own_weights(kinds: Path, tmp_path: Path) -> None:
    """From their pages, which no other row then has to have room for."""
    torch.manual_seed(0)
    for number, key in enumerate(rank_of_many(6)):
        writer = CanonicalWriter(ModelFamily.SDXL)
        writer.add("unet.narrow", KINDS["low rank"]((1280, 640)))
        writer.add(
            "unet.conv" if number % 2 else "unet.wide",
            KINDS["low rank"]((32, 640, 3, 3) if number % 2 else (640, 1280)),
        )
        writer.save(tmp_path / f"{key}.safetensors")
    served = Served(tmp_path)
    use = tuple((key, 0.5) for key in rank_of_many(6))

    assert not any(part.adapter.parts for part in served.scaled(use))
    assert worst_error(served, torch.randn(ROWS, 5, 640, dtype=torch.float64), {(0, 2): use, (1,): ()}) < 1e-6
