"""A ticket on its way: what it needs of a slot, and what it has cost."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.engine.batch_scheduler import Slot
from pipeline.engine.engine_request import EngineJob
from pipeline.engine.loaded_model import LoadedModel
from pipeline.engine.snapshot import Snapshot
from pipeline.requests.batch_key import BatchKey
from tests.pipeline.conftest import a_request


@pytest.fixture
def job(loaded_model: Callable[[str], LoadedModel]) -> EngineJob:
    return EngineJob(ticket="a", request=a_request(), loaded=loaded_model("pocket"))


def test_guidance_takes_two_rows(job: EngineJob) -> None:
    """Without it one is enough."""
    assert job.rows == job.candidate().rows == 2
    job.request = a_request(guidance_scale=1.0)
    assert job.rows == job.candidate().rows == 1


def test_it_pays_its_share_of_each_stretch(job: EngineJob) -> None:
    """In seconds of the device."""
    spans: list[Any] = [(SimpleNamespace(seconds=2.0), 0.25), (SimpleNamespace(seconds=1.0), 1.0)]
    job.spans += spans

    assert job.seconds == 1.5


def test_a_suspended_job_asks_for_a_group_like_its_own(job: EngineJob) -> None:
    """It goes on from its snapshot, which is used once."""
    assert job.acquire(60)
    key = BatchKey(shape=job.model.shape(job.request), bucket=8)
    job.assign(Slot(key=key, rows=(2, 5)))
    job.model.advance(key, [job.started])
    resumed = EngineJob(ticket="b", request=job.request, loaded=job.model, snapshot=Snapshot.of(job.started, job.group))

    candidate = resumed.candidate()
    state = resumed.start()

    assert (candidate.bucket, candidate.pages) == (8, 0)
    assert state.sampler.progress == job.started.sampler.progress == 1
    assert state.latents.equal(job.started.latents)
    assert resumed.snapshot is None
