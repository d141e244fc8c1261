"""A device too small for its model: the same images, from weights that wait in host memory."""

from dataclasses import dataclass

import pytest
from torch import nn

from pipeline.engine.engine import Engine
from pipeline.models.hardware import Hardware, Placement
from pipeline.models.metadata import ModelFacts
from pipeline.models.source import ModelSource
from pipeline.requests.device_messages import Rendered
from pipeline.requests.device_spec import DeviceSpec
from tests.fakes import request

POCKET = ModelSource.parse("pocket")
SPEC = DeviceSpec(models=("pocket",))


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDevice(Hardware):
    """A CPU that plays a GPU with `room` bytes of its own."""

    room: int

    def free_bytes(self) -> int:
        return self.room

    def home(self, facts: ModelFacts) -> Placement:
        return Placement.HOST


def _small(room: int) -> SmallDevice:
    cpu = Hardware.choose("cpu")
    return SmallDevice(
        device=cpu.device,
        dtype=cpu.dtype,
        vae_dtype=cpu.vae_dtype,
        room=room,
    )


def _waiting(module: nn.Module) -> bool:
    """Whether the weights of `module` are somewhere else until they are needed."""
    return all(parameter.device.type == "meta" for parameter in module.parameters())


@pytest.mark.parametrize(
    ("room", "offloaded"), [(0, [True, True]), (20_000_000, [True, False]), (60_000_000, [False, False])]
)
def test_what_does_not_fit_waits_and_the_image_is_the_same(
    monkeypatch: pytest.MonkeyPatch, room: int, offloaded: list[bool]
) -> None:
    """Nothing fits, the VAE does, all does: the file that comes out is equal to the last bit."""
    expected, small = _image(Engine(SPEC)), _small(room)
    monkeypatch.setattr(Hardware, "choose", lambda _name: small)

    engine = Engine(SPEC)

    checkpoint = engine._cache.loaded["pocket"]._checkpoint
    assert [_waiting(checkpoint.unet), _waiting(checkpoint.vae)] == offloaded
    assert _image(engine) == expected


def _image(engine: Engine) -> bytes:
    engine.admit("ticket", request(width=128, height=128, steps=2))
    events = []
    while not engine.idle:
        events += engine.step()
    [rendered] = [event for event in events if isinstance(event, Rendered)]
    return rendered.png
