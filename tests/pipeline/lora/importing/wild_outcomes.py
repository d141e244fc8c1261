"""What an import makes of each wild layout, judged by the change that it must make or the words of its refusal."""

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from safetensors.torch import save_file
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.importer import ImportBase, Upload, import_lora
from pipeline.lora.importing.layer_names import OriginalNames
from tests.pipeline.lora.importing.formats import load_networks, module_of
from tests.pipeline.lora.importing.measuring import base_of, relative, stored_changes
from tests.pipeline.lora.importing.wild import LINEAR, SQUARE, TEXTS, Layout, layouts
from tests.pipeline.lora.importing.wild_oddities import oddities

LIMIT = 1e-6
"""Of the change: the canonical file holds single precision."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """`verdict` is right, refused (for the true reason), wrong or raw error; `said` is the error or the sentence."""

    layout: Layout
    verdict: str
    said: str


def outcomes(model: Path, folder: Path) -> list[Outcome]:
    """Of every layout, for a tiny SDXL."""
    networks = load_networks(model)
    base = base_of(model, ModelFamily.SDXL)
    near = LINEAR.removesuffix("attn1.to_q")
    names = [name for name in base.layers if name.startswith((near, TEXTS[0].removesuffix("q_proj")))]
    modules = {name: module_of(networks, name) for name in (SQUARE, *TEXTS, *names)}
    weights = {name: cast("Tensor", module.weight).detach().double() for name, module in modules.items()}
    original = OriginalNames.of(base.layers)
    every = (*layouts(weights, original), *oddities(weights, original))
    return [_outcome(layout, base, weights, folder) for layout in every]


def _outcome(layout: Layout, base: ImportBase, weights: dict[str, Tensor], folder: Path) -> Outcome:
    path, target = folder / "wild.safetensors", folder / "wild-canonical.safetensors"
    save_file({name: tensor.contiguous() for name, tensor in layout.tensors.items()}, path, dict(layout.metadata))
    upload = Upload(path=path, adapter_config=layout.config, base_model=layout.base_model)
    try:
        report = import_lora(upload, base, target)
    except UserError as error:
        right = bool(layout.words) and layout.words in str(error)
        return Outcome(layout=layout, verdict="refused" if right else "wrong", said=str(error))
    except Exception:
        return Outcome(layout=layout, verdict="raw error", said=traceback.format_exc(limit=-1).splitlines()[-1])
    stored = stored_changes(target, weights, ScaleRule.LINEAR)
    if layout.words or stored.keys() != layout.changes.keys():
        return Outcome(layout=layout, verdict="wrong", said="taken")
    worst = max((relative(stored[name], change) for name, change in layout.changes.items()), default=0.0)
    noted = not layout.note or any(layout.note in note for note in report.notes)
    right = worst < LIMIT and noted
    said = f"{worst:.0e}" + (f"; {' '.join(report.notes)}" if report.notes else "")
    return Outcome(layout=layout, verdict="right" if right else "wrong", said=said)
