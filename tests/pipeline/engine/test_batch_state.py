"""What a batch keeps for its rows: at fixed addresses, each row its own."""

from collections.abc import Callable

import pytest
import torch

from pipeline.engine.batch_state import RowMemory
from pipeline.engine.loaded_model import LoadedModel
from tests.pipeline.conftest import a_request


@pytest.fixture
def memory(loaded_model: Callable[[str], LoadedModel]) -> RowMemory:
    """Four rows, of which two are taken."""
    model = loaded_model("pocket")
    memory = model.denoiser.open(4, pages=0)
    model.denoiser.assign(memory, model.begin(a_request(), ()), (1, 3))
    return memory


def test_a_requests_latents_go_into_each_of_its_rows(memory: RowMemory) -> None:
    """Free rows are left alone; the next call's are written to the same place."""
    own, other = torch.ones(1, 4, 8, 8), torch.full((1, 4, 8, 8), 2.0)

    latents, timesteps = memory.feed(((1, 3),), [own], [500.0])
    values = (latents.mean(dim=(1, 2, 3)).tolist(), timesteps.tolist())
    again, later = memory.feed(((1, 3),), [other], [400.0])

    assert values == ([0, 1, 0, 1], [0, 500, 0, 500])
    assert again.mean(dim=(1, 2, 3)).tolist() == [0, 2, 0, 2]
    assert later.tolist() == [0, 400, 0, 400]
    assert (again.data_ptr(), later.data_ptr()) == (latents.data_ptr(), timesteps.data_ptr())


def test_keys_and_values_follow_a_newcomer_and_stay_where_they_are(
    loaded_model: Callable[[str], LoadedModel], memory: RowMemory
) -> None:
    """Those of the rows that were there before are the same to the bit."""
    model = loaded_model("pocket")
    before = [keys.clone() for keys, _ in memory.prepared]
    places = [keys.data_ptr() for keys, _ in memory.prepared]

    model.denoiser.assign(memory, model.begin(a_request(prompt="an owl"), ()), (0, 2))

    after = [keys for keys, _ in memory.prepared]
    assert [keys.data_ptr() for keys in after] == places
    for old, new in zip(before, after, strict=True):
        assert torch.equal(old[[1, 3]], new[[1, 3]])
        assert not torch.equal(old[[0, 2]], new[[0, 2]])
