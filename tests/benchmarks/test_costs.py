"""What a GPU would be waited for, counted on the stand-in that the benchmark of costs uses: nothing, in any step."""

from pathlib import Path

import pytest

from benchmarks.costs import CostBench, _decoding, _joining, _waits_in_a_step
from pipeline.requests.image_request import LoraUse, Scheduler
from pipeline.requests.start_image import StartImage
from tests.pipeline.tiny_models import save_speck


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> CostBench:
    return CostBench(Path(tmp_path_factory.mktemp("costs")), save_speck)


def test_no_step_waits_for_its_device(bench: CostBench) -> None:
    """Of rows of every kind, drawn over or not, with previews and snapshots of each."""
    requests = bench.requests(list(Scheduler), width=64, height=64)
    start = StartImage(image="start", mask="mask", strength=1.0)
    over = bench.requests((Scheduler.DDIM, Scheduler.UNIPC), width=64, height=64, start=start)

    for each in (requests, over):
        assert _waits_in_a_step(bench, each, preview_every=1, snapshot_every=1).by_function == {}


def test_nothing_waits_where_an_image_joins_or_ends(bench: CostBench) -> None:
    """With a LoRA, whose pages are gathered for its rows; up to the pixels of the finished image."""
    assert +_joining(bench, (LoraUse(key="usual", name="usual"),)).by_function == {}
    assert _decoding(bench).by_function == {}
