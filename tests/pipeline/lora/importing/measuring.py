"""A format's file imported, and how far that is from what LyCORIS's forward makes of the same tensors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from safetensors.torch import load_file
from torch import Tensor

from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.parts import parts_of
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.weight_change import weight_change
from pipeline.lora.importing.base_layers import skeleton
from pipeline.lora.importing.changes import LayerChange
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.header import FileLimits, read_header
from pipeline.lora.importing.importer import ImportBase, Upload, changes, import_lora
from pipeline.lora.importing.matching import match
from pipeline.lora.importing.report import ImportReport
from tests.pipeline.lora.importing.formats import Format, Written, write

FAMILIES = {"nano": ModelFamily.SDXL, "sd15": ModelFamily.SD15}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """`exact` is the largest relative error of any layer's change in float64, `stored` that of the canonical file.

    `vectors` is that of the norms and biases in it.
    """

    exact: float
    stored: float
    vectors: float
    report: ImportReport


@cache
def base_of(model: Path, family: ModelFamily) -> ImportBase:
    return ImportBase.of(family, skeleton(model, family))


def measure(wanted: Format, model: Path, folder: Path) -> Measured:
    """Write a file of the format for `model`, import it, and compare."""
    written = write(wanted, model, folder)
    base = base_of(model, FAMILIES[wanted.model])
    layers = FileLayers.of(read_header(written.path, FileLimits()))
    exact = 0.0
    for found in changes(layers, match(layers, base.names, base.family), wanted.config):
        name = found.layer.name
        if name not in written.weights:
            continue  # an extra of the format's own
        exact = max(exact, relative(_change(found.change, written.bases[name]), written.weights[name]))
        if name in written.biases:
            assert found.change.bias is not None
            exact = max(exact, relative(found.change.bias, written.biases[name]))
    target = folder / "canonical.safetensors"
    report = import_lora(Upload(path=written.path, adapter_config=wanted.config), base, target)
    return Measured(
        exact=exact,
        stored=_stored_error(target, written),
        vectors=_vector_error(target, written),
        report=report,
    )


def _change(change: LayerChange, base: Tensor) -> Tensor:
    return weight_change(change.parts, base, 1.0, ScaleRule.LINEAR) if change.gain is None else change.gain


def relative(ours: Tensor, theirs: Tensor) -> float:
    return float((ours.reshape(theirs.shape) - theirs).norm() / theirs.norm())


def _stored_error(target: Path, written: Written) -> float:
    """Every layer whose weight changes is in the file."""
    stored = stored_changes(target, written.bases, ScaleRule.LINEAR)
    wanted = {name: weight for name, weight in written.weights.items() if weight.ndim > 1}
    assert wanted.keys() <= stored.keys()
    return max((relative(stored[name], weight) for name, weight in wanted.items()), default=0.0)


def stored_changes(path: Path, bases: Mapping[str, Tensor], rule: ScaleRule, scale: float = 1.0) -> dict[str, Tensor]:
    """What a canonical file makes of the layers that it changes, by their weights in `bases`."""
    file, tensors = LoraFile.open(path), load_file(path)
    return {
        name: weight_change(parts_of(file.layers[name], name, tensors), bases[name], scale, rule)
        for name in file.layers
        if name in bases
    }


def _vector_error(target: Path, written: Written) -> float:
    """Every norm and bias that changes is in the file."""
    stored = load_file(target)
    wanted = {f"{name}.bias": bias for name, bias in written.biases.items()}
    wanted |= {f"{name}.gain": gain for name, gain in written.weights.items() if gain.ndim == 1}
    assert wanted.keys() == {name for name in stored if name.endswith((".gain", ".bias"))}
    return max((relative(stored[name].double(), vector) for name, vector in wanted.items()), default=0.0)
