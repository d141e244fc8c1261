"""The map of a control: drawn from its image, or the image itself."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageOps

from pipeline.control import annotators
from pipeline.control.annotators import ANNOTATORS, control_map
from pipeline.control.control_map import drawn, map_of
from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.images.png_text import read_texts
from pipeline.requests.control import EMPTY_MAP, ControlKind, ControlUse
from pipeline.requests.device_messages import DrawMap, Rendered
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.control.ready_maps import HANDED, control
from tests.pipeline.scene import png, scene


def test_a_map_is_made_of_an_image_in_the_requests_size(controlled_model: Callable[[str], LoadedModel]) -> None:
    """The very one that its annotator draws."""
    model = controlled_model("pocket")
    request = a_request(controls=(control(image="scene", ready=False, detail=1.0),))

    (own,) = model.controls.acquire(request, HANDED, timeout=60) or ()

    expected = np.asarray(control_map(ControlKind.EDGE, scene(), 1.0)).transpose(2, 0, 1)[None]
    assert expected.any()
    assert torch.equal((own.hint * 255).round().byte(), torch.from_numpy(expected.copy()))


def test_a_map_that_was_kept_is_the_one_that_was_drawn(controlled_model: Callable[[str], LoadedModel]) -> None:
    """An image of a stored map is the image of what it was drawn from; black on white counts as white on black."""
    model = controlled_model("pocket")
    of_scene = control(image="scene", ready=False, detail=1.0)
    kept = map_of(of_scene, HANDED["scene"], (64, 64))
    handed = HANDED | {"kept": png(kept), "on paper": png(ImageOps.invert(kept))}
    uses = (of_scene, control(image="kept"), control(image="on paper", inverted=True))

    hints = [one.hint for one in model.controls.acquire(a_request(controls=uses), handed, timeout=60) or ()]

    assert torch.equal(hints[0], hints[1])
    assert torch.equal(hints[0], hints[2])


def test_a_map_of_another_size_is_fitted(controlled_model: Callable[[str], LoadedModel]) -> None:
    """To the image's own."""
    large = Image.new("RGB", (90, 50))
    ImageDraw.Draw(large).rectangle((0, 0, 45, 50), fill="white")
    model = controlled_model("pocket")

    (own,) = model.controls.acquire(a_request(controls=(control(),)), {"edge": png(large)}, timeout=60) or ()

    assert own.hint.shape == (1, 3, 64, 64)
    assert (float(own.hint.amin()), float(own.hint.amax())) == (0, 1)


def told(kind: ControlKind, image: Image.Image) -> bool:
    """Whether the map of an image says that it is empty."""
    use = ControlUse(kind=kind, image="k")
    event = drawn(DrawMap(ticket="1.0", use=use, width=128, height=128, images={"k": png(image)}))
    assert isinstance(event, Rendered)
    return EMPTY_MAP in read_texts(event.png)


@pytest.mark.parametrize("kind", ANNOTATORS)
def test_a_map_says_if_there_is_nothing_in_it(kind: ControlKind) -> None:
    """Of a plain image, also where it is noisy as a camera's; one small drawing on it is enough."""
    noise = np.random.default_rng(0).integers(124, 128, (128, 128, 3), dtype=np.uint8)
    drawing = Image.new("RGB", (128, 128), "white")
    ImageDraw.Draw(drawing).line((30, 30, 90, 90), "black", 3)

    assert told(kind, Image.new("RGB", (128, 128), "white"))
    assert told(kind, Image.fromarray(noise))
    assert not told(kind, drawing)
    # A disc on a ramp has no dark line.
    assert told(kind, scene()) is (kind is ControlKind.LINEART)


def test_what_a_model_finds_in_a_plain_image_is_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Depth is stretched to its full range, which makes a relief of a wall."""
    ramp = np.tile(np.arange(128, dtype=np.uint8) * 2, (128, 1))
    monkeypatch.setattr(annotators, "_learned", lambda _kind, _pixels: ramp)

    assert told(ControlKind.DEPTH, Image.new("RGB", (128, 128), "gray"))
    assert not told(ControlKind.DEPTH, scene())


def test_an_image_says_which_of_its_maps_were_empty() -> None:
    """For those who asked for no preview; where something is kept it says nothing."""
    images = {"plain": png(Image.new("RGB", (64, 64), "teal")), "scene": png(scene())}
    of_both = tuple(ControlUse(kind=kind, image="plain") for kind in (ControlKind.EDGE, ControlKind.TILE))
    engine = Engine(SPEC)
    engine.admit("nothing", a_request(steps=1, controls=of_both), images=images)
    engine.admit("something", a_request(steps=1, controls=(replace(of_both[0], image="scene"),)), images=images)

    events = []
    while not engine.idle:
        events += engine.step()

    found = {event.ticket: read_texts(event.png) for event in events if isinstance(event, Rendered)}
    assert found["nothing"][EMPTY_MAP] == "edge, tile"
    assert EMPTY_MAP not in found["something"]
