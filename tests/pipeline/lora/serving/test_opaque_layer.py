"""Layers that run request by request inside a compiled graph."""

from pathlib import Path

import torch

from pipeline.lora.serving.opaque_layer import OpaqueLayers, running
from pipeline.lora.serving.own_rows import OwnRows
from tests.pipeline.lora.serving.served_layers import ROWS, Served


def test_one_whole_graph_serves_any_loras(kinds: Path) -> None:
    """Without a break and without a second compilation, whichever requests are there; without any it is the base."""
    served = Served(kinds, dtype=torch.float32)
    given, banks = torch.randn(ROWS, 5, 640), served.pool.networks["unet"].banks
    uses = [(("dora", 0.5),), (("hada", 1.0), ("low rank", -0.5)), ()]
    expected = [served.outputs(given, {(0, 1): use, (2,): ()}) for use in uses]
    for bank in banks:
        bank.own = OpaqueLayers()
    compiled = torch.compile(served.network, fullgraph=True, backend="eager")

    with torch.inference_mode():
        plain, ours = served.plain(given), compiled(given)
        assert all(torch.equal(*pair) for pair in zip(ours, plain, strict=True))
        for use, wanted in zip(uses, expected, strict=True):
            rows = OwnRows(served.pool, "unet", ROWS)
            rows.put((0, 1), served.scaled(use))
            rows.put((2,), ())
            with running(rows.run), torch.compiler.set_stance("fail_on_recompile"):
                ours = compiled(given)
            assert all(torch.equal(*pair) for pair in zip(ours, wanted, strict=True))
