"""From a link to an image: a real download, a real import, a real device, each in its own process."""

import io
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save

from pipeline.images.metadata import read
from tests.journeys.terminal import run
from tests.pipeline.lora.sources.site import Site

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model
_LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    width = 128
    down, up = torch.full((4, width), 0.1), torch.full((width, 4), 0.1)
    site = Site(save({f"{_LAYER}.lora_down.weight": down, f"{_LAYER}.lora_up.weight": up}))
    await site.start()
    yield site
    await site.server.close()


async def test_a_civitai_link_becomes_a_lora_that_changes_images(site: Site, tmp_path: Path) -> None:
    """It is fetched with the community's key, shown by its card's image, and used in the next process."""
    settings = {"CIVITAI_BASE": site.base, "LIMNER_LORA_STORE_HOSTS": "localhost", "LIMNER_LORA_LOOPBACK": "on"}
    lines = "/lora key civitai --set hush-hush\n/lora add https://civitai.com/models/12 --name tod\n"
    code, out, errors = await run("chat", data=tmp_path, text=lines, **settings)

    assert code == 0, errors
    assert "1 of 1 layers matched" in out
    assert site.authorizations == {"download": "Bearer hush-hush", "signed": None}
    assert "hush" not in out.replace("/lora key civitai --set hush-hush", "") + errors
    (card,) = (tmp_path / "images").glob("*.png")

    lines = "".join(f"/imagine red fox{lora} --steps 2 --seed 6\n" for lora in ("", " <lora:tod:2>"))
    code, _, errors = await run("chat", data=tmp_path, text=lines)
    assert code == 0, errors
    shown = [path.read_bytes() for path in sorted((tmp_path / "images").glob("*.png")) if path != card]
    assert [use.name for data in shown for use in read(data).made_from.loras] == ["tod"]
    plain, changed = (Image.open(io.BytesIO(data)).tobytes() for data in shown)
    assert plain != changed
