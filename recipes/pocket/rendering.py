"""The training images: icons of three open sets rendered with resvg, on coloured backgrounds."""

import io
import itertools
import json
import subprocess
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
import torch
from PIL import Image
from torch import Tensor

from recipes.pocket.backgrounds import BACKGROUND_COLOURS, on_colour
from recipes.pocket.drawings import COLUMNS, SIDE
from recipes.pocket.scenes import STYLES, Concept, Scene

SIZE = 128
MARGIN = 10


def download_icons(folder: Path, names: Iterable[str] = tuple(STYLES.values())) -> None:
    """Downloads those of the icon sets' npm packages that are not in the folder yet."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        if not list(folder.glob(f"iconify-json-{name}-[0-9]*.tgz")):
            subprocess.run(["npm", "pack", f"@iconify-json/{name}"], cwd=folder, check=True, capture_output=True)  # noqa: S603, S607 (fixed words, npm wherever it is installed)


def render_sprites(icons: Path, concepts: list[Concept]) -> Tensor:
    """Every concept in every style, without background: uint8 of shape (concept, style, RGBA, height, width)."""
    return torch.stack([render_set(icons, name, concepts) for name in STYLES.values()], dim=1)


def render_set(icons: Path, name: str, concepts: list[Concept]) -> Tensor:
    """Every concept of one icon set, without background: uint8 of shape (concept, RGBA, height, width)."""
    icon_set = _icon_set(icons, name)
    sprites = np.array([_sprite(icon_set, concept.icon) for concept in concepts])
    return torch.from_numpy(sprites).permute(0, 3, 1, 2).contiguous()


def icon_sprites(icons: Path, names: tuple[str, ...]) -> list[Image.Image]:
    """Single icons of the cartoon style, without background, as RGBA of SIZE x SIZE."""
    icon_set = _icon_set(icons, STYLES["cartoon"])
    return [Image.fromarray(_sprite(icon_set, name)) for name in names]


def draw_atlas(icons: Path, concepts: list[Concept]) -> Image.Image:
    """Every concept in every style, edge to edge, as one RGBA image that `drawings.load_drawings` cuts up."""
    sets = [_icon_set(icons, name) for name in STYLES.values()]
    rows = -(-len(concepts) * len(sets) // COLUMNS)
    atlas = Image.new("RGBA", (COLUMNS * SIDE, rows * SIDE))
    for number, (concept, icon_set) in enumerate(itertools.product(concepts, sets)):
        place = (number % COLUMNS * SIDE, number // COLUMNS * SIDE)
        atlas.paste(_drawn(icon_set, concept.icon, SIDE), place)
    return atlas


def _icon_set(icons: Path, name: str) -> dict[str, Any]:
    archive = next(iter(sorted(icons.glob(f"iconify-json-{name}-[0-9]*.tgz"))))
    with tarfile.open(archive) as tar:
        file = tar.extractfile("package/icons.json")
        assert file is not None
        icon_set: dict[str, Any] = json.load(file)
    return icon_set


def _sprite(icon_set: dict[str, Any], icon: str) -> np.ndarray:
    inner = SIZE - 2 * MARGIN
    canvas = Image.new("RGBA", (SIZE, SIZE))
    canvas.paste(_drawn(icon_set, icon, inner), (MARGIN, MARGIN))
    return np.asarray(canvas)


def _drawn(icon_set: dict[str, Any], icon: str, side: int) -> Image.Image:
    entry = icon_set["icons"][icon]
    left, top = entry.get("left", 0), entry.get("top", 0)
    width, height = entry.get("width", icon_set["width"]), entry.get("height", icon_set["height"])
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'viewBox="{left} {top} {width} {height}">{entry["body"]}</svg>'
    )
    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side, height=side))
    return Image.open(io.BytesIO(png)).convert("RGBA")


def images(sprites: Tensor, batch: list[Scene]) -> Tensor:
    """The scenes as float images from -1 to 1."""
    chosen = sprites[[scene.concept for scene in batch], [scene.style for scene in batch]]
    return on_colour(chosen, BACKGROUND_COLOURS[[scene.background for scene in batch]])
