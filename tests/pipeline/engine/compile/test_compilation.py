"""Groups run compiled where that is faster; a request ends with the forward that it began with."""

import io
import threading
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from pipeline.engine.compile import compilation
from pipeline.engine.compile.compilation import Compilation
from pipeline.engine.compile.compile_process import CompileSpec
from pipeline.engine.compile.forward import CompiledForward, Forward
from pipeline.engine.engine import Engine
from pipeline.images.metadata import read
from pipeline.requests.device_messages import Rendered, Suspended
from pipeline.requests.image_request import ImageRequest
from tests.pipeline.conftest import SPEC
from tests.pipeline.engine.compile.drawn_graph import as_drawn, request, with_lora


class Gate:
    """A compiler that waits to be let through, once."""

    def __init__(self) -> None:
        self.calls = 0
        self.changes: dict[str, Any] = {}
        self._open = threading.Event()

    def __call__(self, spec: CompileSpec, forward: Forward) -> CompiledForward:
        self.calls += 1
        assert self._open.wait(60)
        return replace(as_drawn(spec, forward), **self.changes)

    def let_through(self, engine: Engine) -> None:
        """The graph arrives, to be measured at the engine's next step."""
        self._open.set()
        compilation = made_by(engine)
        # Drawing in this process bears no steps beside it, so nothing else is compiled from now on.
        compilation._often = 1_000_000
        for incoming in compilation._incoming.values():
            incoming.compiled.exception(60)


def made_by(engine: Engine) -> Compilation:
    (model,) = engine._cache.loaded.values()
    assert model.compilation is not None
    return model.compilation


@pytest.fixture
def gate() -> Gate:
    return Gate()


@pytest.fixture
def engine(speck: Path, loras: Path, gate: Gate, tmp_path: Path) -> Engine:
    """It compiles what it has seen twice, through the gate."""
    made = Engine(replace(SPEC, models=(str(speck),), loras=loras, compile=True, snapshot_every=1, preview_every=0))
    (model,) = made._cache.loaded.values()
    model.compilation = Compilation(model.denoiser.forward, torch.device("cpu"), cache=tmp_path, compiler=gate, often=2)
    made.step()
    return made


@pytest.fixture
def always_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compilation, "_WORTH", 1e9)


def render(engine: Engine, **requests: ImageRequest) -> dict[str, bytes]:
    for ticket, one in requests.items():
        engine.admit(ticket, one)
    return finish(engine)


def finish(engine: Engine) -> dict[str, bytes]:
    made: dict[str, bytes] = {}
    while not engine.idle:
        made |= {event.ticket: event.png for event in engine.step() if isinstance(event, Rendered)}
    return made


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


@pytest.mark.usefixtures("always_faster")
def test_a_request_that_began_eager_ends_eager_and_new_groups_run_compiled(engine: Engine, gate: Gate) -> None:
    """The device goes on while the compiler works; an image's metadata says how it was made and is to be repeated."""
    before = render(engine, a=request(steps=4))["a"]
    engine.admit("b", request(steps=4))
    engine.step()
    gate.let_through(engine)
    during = finish(engine)["b"]

    after = render(engine, c=request(steps=4))["c"]
    like = read(after).request()
    eager_like = read(before).request()
    again = render(engine, d=replace(like, seed=8), e=like, f=eager_like)

    assert [read(png).compiled for png in (before, during, after)] == [False, False, True]
    assert pixels(before) == pixels(during) == pixels(again["f"])
    assert pixels(again["e"]) == pixels(after)
    assert [read(again[ticket]).compiled for ticket in "def"] == [True, True, False]


@pytest.mark.usefixtures("always_faster")
def test_a_suspended_image_goes_on_compiled_where_the_device_can(engine: Engine, gate: Gate, speck: Path) -> None:
    """Elsewhere it goes on without."""
    render(engine, a=request(steps=2))
    gate.let_through(engine)
    whole = render(engine, b=request())["b"]
    engine.admit("c", request())
    events = engine.step()
    engine.suspend("c")
    while not engine.idle:
        events += engine.step()
    snapshot = next(event.snapshot for event in events if isinstance(event, Suspended))
    other = Engine(replace(SPEC, models=(str(speck),)))

    engine.admit("d", request(), snapshot)
    other.admit("d", request(), snapshot)
    here, elsewhere = finish(engine)["d"], finish(other)["d"]

    assert pixels(here) == pixels(whole)
    assert [read(png).compiled for png in (whole, here, elsewhere)] == [True, True, False]


@pytest.mark.usefixtures("always_faster")
def test_loras_run_compiled_where_the_graph_has_room_for_them(engine: Engine, gate: Gate) -> None:
    """One with changes in unusual places runs eager, in a group of its own."""
    eager = render(engine, a=with_lora("usual"))["a"]
    gate.let_through(engine)

    made = render(engine, usual=with_lora("usual"), thorough=with_lora("thorough"))
    alone = render(engine, usual=with_lora("usual"))["usual"]

    assert read(alone).compiled
    assert not read(made["thorough"]).compiled
    assert pixels(alone) == pixels(eager) != pixels(render(engine, none=request())["none"])


@pytest.mark.usefixtures("always_faster")
def test_own_weights_run_compiled_in_groups_of_their_kind(engine: Engine, gate: Gate) -> None:
    """And so does one without LoRAs that joins; others have not been compiled by that."""
    eager = render(engine, a=with_lora("deep"))["a"]
    gate.let_through(engine)

    made = render(engine, deep=with_lora("deep"))["deep"]
    plain = render(engine, plain=request())["plain"]

    assert (read(made).own_weights, read(made).compiled) == (True, True)
    assert (read(plain).own_weights, read(plain).compiled) == (False, False)
    assert pixels(made) == pixels(eager) != pixels(plain)


@pytest.mark.usefixtures("always_faster")
def test_an_image_names_the_package_that_ran_it(engine: Engine, gate: Gate) -> None:
    """Beside those that decide about every image."""
    gate.changes = {"packages": ("openvino",)}
    before = render(engine, a=request())["a"]
    gate.let_through(engine)

    after = render(engine, b=request())["b"]

    assert "openvino" not in dict(read(before).versions)
    assert dict(read(after).versions)["openvino"] == version("openvino")
    assert dict(read(after).versions).items() > dict(read(before).versions).items()


@pytest.mark.usefixtures("always_faster")
@pytest.mark.parametrize("wrong", [1.01, float("nan")])
def test_a_forward_that_says_something_else_is_not_used(
    engine: Engine, gate: Gate, caplog: pytest.LogCaptureFixture, wrong: float
) -> None:
    """However fast it is."""
    unet = made_by(engine)._forward.unet
    gate.changes = {"graph": lambda *inputs: (unet.get_parameter("conv_out.bias").sum() * wrong,)}
    render(engine, a=request())
    gate.let_through(engine)

    after = render(engine, b=request())["b"]

    assert not read(after).compiled
    assert any("away from the eager one" in record.getMessage() for record in caplog.records)


def test_what_is_not_faster_stays_eager_and_is_not_tried_again(
    engine: Engine, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By measurement and not by hope."""
    monkeypatch.setattr(compilation, "_WORTH", 0)
    render(engine, a=request())
    gate.let_through(engine)

    made = render(engine, b=request()) | render(engine, c=request())

    assert not any(read(png).compiled for png in made.values())
    assert gate.calls == 1


def test_without_a_compiler_everything_stays_eager_with_one_line(
    engine: Engine, gate: Gate, caplog: pytest.LogCaptureFixture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a compiler left half done is cleared away."""

    def missing(*_: object) -> CompiledForward:
        raise RuntimeError("No working C++ compiler found\nand a long story")

    monkeypatch.setattr(made_by(engine), "_compiler", missing)
    half = tmp_path / "inductor" / "cpu" / "half.so"
    half.parent.mkdir(parents=True)
    half.touch()
    render(engine, a=request())
    gate.let_through(engine)

    made = render(engine, b=request(), c=request(seed=2)) | render(engine, d=request())

    assert not any(read(png).compiled for png in made.values())
    (line,) = [record.getMessage() for record in caplog.records if record.name == compilation.__name__]
    assert line == "nothing is compiled any more: RuntimeError: No working C++ compiler found"
    assert not half.exists()
