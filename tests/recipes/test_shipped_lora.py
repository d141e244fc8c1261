"""The LoRA that ships as an example, taken the way of every member's file: imported, then asked for."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from pipeline.engine.engine import Engine
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.base_layers import skeleton
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.requests.device_messages import Rendered
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse
from recipes.pocket.export import SHIPPED as POCKET
from recipes.pocket.sampling import GUIDANCE, STEPS
from recipes.pocket.scenes import STYLES
from recipes.pocket.twemoji import SHIPPED, TRIGGER, load_style_judge

THINGS = ("dog", "cat", "rocket", "pizza", "penguin", "robot")


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """One that knows the shipped LoRA."""
    base = ImportBase.of(ModelFamily.SDXL, skeleton(POCKET, ModelFamily.SDXL))
    import_lora(Upload(path=POCKET / SHIPPED), base, tmp_path / "twemoji.safetensors")
    return Engine(DeviceSpec(models=("pocket",), device="cpu", threads=1, preview_every=0, loras=tmp_path))


def _drawn(engine: Engine, requests: list[ImageRequest]) -> list[bytes]:
    """The images of `requests`, in their order."""
    for number, request in enumerate(requests):
        engine.admit(str(number), request)
    done: dict[str, bytes] = {}
    while not engine.idle:
        done |= {event.ticket: event.png for event in engine.step() if isinstance(event, Rendered)}
    return [done[str(number)] for number in range(len(requests))]


def _styles(images: list[bytes]) -> list[int]:
    """What the judge takes each for: the number of its style, Twemoji's last."""
    pixels = np.stack([np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in images])
    with torch.no_grad():
        scores: Tensor = load_style_judge()(torch.from_numpy(pixels).permute(0, 3, 1, 2) / 127.5 - 1)
    return [int(style) for style in scores.argmax(dim=1)]


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::DeprecationWarning")
def test_shipped_lora_changes_the_style_and_only_where_it_is_asked_for(engine: Engine) -> None:
    """Most images with it are taken for the style that the model never saw, none without; those stay as they were."""
    plain = [
        ImageRequest(
            prompt=f"{thing}, {TRIGGER}, blue background",
            width=128,
            height=128,
            steps=STEPS,
            guidance_scale=GUIDANCE,
            seed=seed,
            model="pocket",
        )
        for seed, thing in enumerate(THINGS)
    ]
    use = LoraUse(key="twemoji", name="twemoji", scale=1.0)

    without = _drawn(engine, plain[:2])
    with_lora = _drawn(engine, [replace(one, loras=(use,)) for one in plain])

    assert _styles(with_lora).count(len(STYLES)) >= 4
    assert len(STYLES) not in _styles(without)
    assert _drawn(engine, plain[:2]) == without
