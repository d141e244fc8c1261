"""Several models on one device: which stay, which are released, which requests wait."""

import errno
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline.engine.engine import Engine
from pipeline.models import checkpoint
from pipeline.requests.device_messages import Event, Refused, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from tests.pipeline.conftest import a_request

NAMES = ("pocket", "nano", "sd15")


@pytest.fixture
def folders(model_folder: Callable[[str], Path]) -> tuple[str, ...]:
    return tuple(str(model_folder(name)) for name in NAMES)


def an_engine(models: tuple[str, ...], model_bytes: int | None) -> Engine:
    engine = Engine(DeviceSpec(models=models, device="cpu", threads=1, preview_every=0, model_bytes=model_bytes))
    engine.step()
    return engine


def run(engine: Engine) -> list[Event]:
    events = []
    while not engine.idle:
        events += engine.step()
    return events


def render(engine: Engine, model: str) -> None:
    engine.admit(model, a_request(model=model, steps=1))
    assert isinstance(run(engine)[-1], Rendered)


def test_models_stay_while_there_is_room(folders: tuple[str, ...]) -> None:
    """Without a budget as many as fit in memory."""
    engine = an_engine(folders, None)

    for name in NAMES:
        render(engine, name)

    assert set(engine._cache.loaded) == set(NAMES)


def test_the_least_recently_used_goes_and_leaves_no_memory_behind(folders: tuple[str, ...]) -> None:
    """With a budget for one model beside pocket."""
    probe = an_engine(folders, None)
    sizes = {name: 4 * probe._cache.facts(name).parameters for name in NAMES}
    engine = an_engine(folders, sizes["pocket"] + max(sizes["nano"], sizes["sd15"]))
    render(engine, "nano")
    nano = weakref.ref(engine._cache.loaded["nano"])
    render(engine, "pocket")

    render(engine, "sd15")

    assert set(engine._cache.loaded) == {"pocket", "sd15"}
    assert nano() is None


def test_a_model_at_work_is_not_put_away_and_who_needs_its_room_is_not_overtaken(folders: tuple[str, ...]) -> None:
    """Later requests for the busy model wait behind the one that needs another, so that its turn comes."""
    engine = an_engine(folders[:2], 1)
    engine.admit("busy", a_request(steps=6))
    engine.step()
    engine.admit("other", a_request(model="nano", steps=1))
    engine.admit("late", a_request(steps=1))

    events = run(engine)

    assert [event.ticket for event in events if isinstance(event, Rendered)] == ["busy", "other", "late"]
    first_of_other = next(
        number for number, event in enumerate(events) if isinstance(event, Stepped) and event.ticket == "other"
    )
    assert any(isinstance(event, Rendered) and event.ticket == "busy" for event in events[:first_of_other])
    assert set(engine._cache.loaded) == {"pocket"}


def test_a_model_that_cannot_be_loaded_refuses_its_requests_alone(folders: tuple[str, ...], tmp_path: Path) -> None:
    """And once it is mended it is served."""
    broken = tmp_path / "broken"
    shutil.copytree(folders[1], broken)
    weights = next((broken / "unet").glob("*.safetensors"))
    whole = weights.read_bytes()
    engine = an_engine((folders[0], str(broken)), None)
    weights.write_bytes(whole[:-100])
    engine.admit("bad", a_request(model="broken", steps=1))
    engine.admit("good", a_request(steps=1))

    events = run(engine)

    refused = [event for event in events if isinstance(event, Refused)]
    assert [event.ticket for event in refused] == ["bad"]
    assert "download it again" in refused[0].sentence
    weights.write_bytes(whole)
    render(engine, "broken")


def test_a_model_that_there_is_no_memory_for_is_refused_in_a_sentence(
    folders: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the library calls it; the others are served, and so is it when there is memory again."""
    engine = an_engine(folders[:2], None)
    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "safe_open", _no_memory)
        engine.admit("bad", a_request(model="nano", steps=1))
        engine.admit("good", a_request(steps=1))
        events = run(engine)

    assert [event.sentence for event in events if isinstance(event, Refused)] == [
        "There is not enough memory to load model 'nano'; close other programs or choose a smaller model."
    ]
    assert [event.ticket for event in events if isinstance(event, Rendered)] == ["good"]
    render(engine, "nano")


def _no_memory(*_: object, **__: object) -> None:
    raise OSError(errno.ENOMEM, "Cannot allocate memory")
