"""Maps that models draw: found in the Hub's cache at their pinned commits, or one sentence says what to run."""

import io
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.control.ade20k import COLOURS
from pipeline.control.annotator_models import MODELS
from pipeline.control.annotators import control_map
from pipeline.control.segmentation import SegmentMap
from pipeline.engine.inpaint_canvas import Canvas
from pipeline.errors import InvalidRequest, UserError
from pipeline.requests.control import ControlKind
from pipeline.requests.start_image import StartImage
from tests.pipeline.conftest import a_request
from tests.pipeline.tiny_annotators import put_into_cache

LEARNED = sorted(MODELS)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def scene() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 255, (60, 100, 3), dtype=np.uint8))


@pytest.mark.parametrize("kind", LEARNED)
def test_a_model_that_is_here_draws(cache: Path, kind: ControlKind) -> None:
    """The same map every time, in the image's size."""
    put_into_cache(cache, kind)

    first, second = control_map(kind, scene()), control_map(kind, scene())

    assert (first.mode, first.size) == ("RGB", (100, 60))
    assert first.tobytes() == second.tobytes()


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("kind", LEARNED)
def test_without_its_model_a_sentence_says_what_to_run(kind: ControlKind) -> None:
    """And what to do until then."""
    with pytest.raises(InvalidRequest, match=f"limner models pull control-{kind}; until then, attach a ready one"):
        control_map(kind, scene())


def test_words_mask_an_image_that_is_drawn_over(cache: Path) -> None:
    """The canvas has the mask that the model sees; without the model a sentence says what to run."""
    file = io.BytesIO()
    scene().save(file, "PNG")
    images, start = (
        {"scene": file.getvalue()},
        StartImage(image="scene", strength=1.0, mask_of="label_0", feather=0),
    )
    with pytest.raises(InvalidRequest, match=r"limner models pull control-segment; attach a mask\.$"):
        Canvas.of(a_request(start=start), images)
    (folder,) = put_into_cache(cache, ControlKind.SEGMENT)
    colour = control_map(ControlKind.SEGMENT, scene()).getpixel((50, 30))
    assert isinstance(colour, tuple)
    shown = COLOURS.tolist().index(list(colour))

    canvas = Canvas.of(a_request(start=replace(start, mask_of=f"label_{shown}", padding=0)), images)

    assert canvas is not None
    assert canvas.edge is not None
    expected = SegmentMap(folder).mask(np.asarray(scene()), f"label_{shown}")
    assert np.array_equal(np.asarray(canvas.edge), expected)


def test_a_model_that_was_pulled_since_is_used_at_once(cache: Path) -> None:
    """Without another start."""
    with pytest.raises(InvalidRequest):
        control_map(ControlKind.SEGMENT, scene())
    put_into_cache(cache, ControlKind.SEGMENT)

    control_map(ControlKind.SEGMENT, scene())


@pytest.mark.parametrize(
    "damage",
    [
        lambda weights: weights.unlink(),
        lambda weights: weights.write_bytes(weights.read_bytes()[:100]),
        lambda weights: weights.with_name("config.json").write_text("{"),
    ],
    ids=["absent", "torn", "no config"],
)
@pytest.mark.parametrize("kind", LEARNED)
def test_a_damaged_model_is_one_sentence(cache: Path, kind: ControlKind, damage: Callable[[Path], Any]) -> None:
    """That says what to run and names no path of this machine."""
    damage(put_into_cache(cache, kind)[-1] / "model.safetensors")

    with pytest.raises(UserError, match=f"damaged here.*limner models pull control-{kind}") as caught:
        control_map(kind, scene())
    assert str(cache) not in str(caught.value)
