"""What the shipped LoRA does to pocket's style: `python -m benchmarks.style_lora`, over things it was shown and others.

The file is imported like every member's file, then used at several scales. The judge of styles was trained on
drawings of all four sets, and names 98 to 100 % of the real ones right on backgrounds that it never saw.
"""

import argparse
import io
import tempfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from benchmarks.image_guidance import rendered
from pipeline.families.family import ModelFamily
from pipeline.images.grid import labelled_grid
from pipeline.lora.importing.base_layers import skeleton
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.training.contact_sheet import image
from recipes.pocket.export import SHIPPED as POCKET
from recipes.pocket.rendering import SIZE
from recipes.pocket.sampling import GUIDANCE, STEPS
from recipes.pocket.scenes import BACKGROUNDS, STYLES, concepts
from recipes.pocket.twemoji import SHIPPED, TRIGGER, is_unseen, load_style_judge

SCALES = (0.0, 0.25, 0.5, 0.75, 1.0)
THINGS = 60
SHOWN = 8


def main() -> None:
    """Print the table and draw the sheet."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sheet", type=Path, help="an image of some things at every scale")
    parser.add_argument("--lora", type=Path, default=POCKET / SHIPPED, help="another file than the shipped one")
    asked = parser.parse_args()
    columns = []
    print("| LoRA scale | taken for Twemoji | things that it never saw |\n|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        loras = Path(folder)
        base = ImportBase.of(ModelFamily.SDXL, skeleton(POCKET, ModelFamily.SDXL))
        import_lora(Upload(path=asked.lora), base, loras / "twemoji.safetensors")
        for scale in SCALES:
            shown, others = (_drawn(_things(unseen=unseen), scale, loras) for unseen in (False, True))
            columns.append(shown[:SHOWN])
            print(f"| {scale:g} | {_share(shown):.1%} | {_share(others):.1%} |", flush=True)
    if asked.sheet:
        rows = [image(drawing) for row in zip(*columns, strict=True) for drawing in row]
        labelled_grid(rows, [f"scale {scale:g}" for scale in SCALES], [""] * SHOWN).save(asked.sheet)


def _things(*, unseen: bool) -> list[str]:
    """As many of those that the LoRA was shown, or never, spread over the whole list."""
    found = [concept.words[0] for number, concept in enumerate(concepts()) if is_unseen(number) == unseen]
    return found[:: max(1, len(found) // THINGS)][:THINGS]


def _drawn(things: list[str], scale: float, loras: Path) -> torch.Tensor:
    """The images at this scale (rows, 3, height, width) from 0 to 1."""
    colours = list(BACKGROUNDS)
    requests = [
        ImageRequest(
            prompt=f"{thing}, {TRIGGER}, {colours[seed % len(colours)]} background",
            width=SIZE,
            height=SIZE,
            steps=STEPS,
            guidance_scale=GUIDANCE,
            seed=seed,
            model="pocket",
            loras=(LoraUse(key="twemoji", name="twemoji", scale=scale),),
        )
        for seed, thing in enumerate(things)
    ]
    images = [np.asarray(Image.open(io.BytesIO(png)).convert("RGB")) for png in rendered(requests, loras=loras)]
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2) / 255


@torch.no_grad()
def _share(images: torch.Tensor) -> float:
    return float((load_style_judge()(images * 2 - 1).argmax(dim=1) == len(STYLES)).float().mean())


if __name__ == "__main__":
    main()
