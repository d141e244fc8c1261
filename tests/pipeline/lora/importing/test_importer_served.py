"""From an untrusted file to the engine's latents: the same as with the base's weights changed by hand."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.engine.engine import Engine
from pipeline.lora.importing.importer import Upload, import_lora
from pipeline.requests.image_request import LoraUse
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.lora.importing.formats import FORMATS, Format, Written, load_networks, module_of, write
from tests.pipeline.lora.importing.measuring import FAMILIES, base_of
from tests.pipeline.lora.serving.test_layers import final_latents

SERVED = (
    "LoRA for SD 1.5",
    "LoHa for SD 1.5",
    "DoRA for SD 1.5, diffusers",
    "full difference",
    "full difference with norms, for SD 1.5",
    "norms of the text encoder alone, for SD 1.5",
)


@pytest.mark.parametrize("wanted", [own for own in FORMATS if own.name in SERVED], ids=lambda wanted: wanted.name)
def test_latents_are_those_of_the_changed_base(
    wanted: Format, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """Within a hundredth of the LoRA's own effect, which half precision explains; its neighbour keeps its bits."""
    model = model_folder(wanted.model)
    written = write(wanted, model, tmp_path)
    library = tmp_path / "library"
    library.mkdir()
    import_lora(Upload(path=written.path), base_of(model, FAMILIES[wanted.model]), library / "mine.safetensors")
    by_hand = changed(model, written, tmp_path / "changed")

    (plain,) = latents(model, library, ())
    ours, beside = latents(model, library, (LoraUse(key="mine", name="mine", scale=1.0),), ())
    (theirs,) = latents(by_hand, library, ())

    effect = float((theirs - plain).norm())
    assert effect / float(plain.norm()) > 1e-3
    assert float((ours - theirs).norm()) < 1e-2 * effect
    assert torch.equal(beside, plain)


def changed(model: Path, written: Written, folder: Path) -> Path:
    """A copy of the model with what the file changes added to its own."""
    shutil.copytree(model, folder)
    networks = load_networks.__wrapped__(model)
    for side, changes in (("weight", written.weights), ("bias", written.biases)):
        for name, change in changes.items():
            own = getattr(module_of(networks, name), side)
            own.data = (own.data.double() + change).float()
    for network, module in networks.items():
        module.save_pretrained(folder / network)
    return folder


def latents(model: Path, library: Path, *rows: tuple[LoraUse, ...]) -> list[torch.Tensor]:
    """Of one image for each of `rows`, all in one batch."""
    engine = Engine(replace(SPEC, models=(str(model),), loras=library, max_rows=16, preview_every=0))
    request = a_request(model=model.name, steps=2, bucket=16, lora_pages=8)
    return final_latents(engine, [replace(request, loras=loras) for loras in rows])
