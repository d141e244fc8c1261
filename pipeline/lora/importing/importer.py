"""An untrusted LoRA file of any format to one canonical file and a report, or one sentence why not."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import prod, sqrt
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.importing.base_layers import BaseLayer, LayerKind, Layers
from pipeline.lora.importing.base_weights import BaseWeights, opened
from pipeline.lora.importing.canonical_writer import CanonicalWriter
from pipeline.lora.importing.change import Change
from pipeline.lora.importing.changes import Algorithm, change_of
from pipeline.lora.importing.embeddings import alone, bundled
from pipeline.lora.importing.families import refuse_other_kinds
from pipeline.lora.importing.file_layers import FileLayers
from pipeline.lora.importing.header import FileLimits, read_header
from pipeline.lora.importing.layer_names import LayerNames
from pipeline.lora.importing.lowering import Lowered, lower
from pipeline.lora.importing.matching import Matched, match
from pipeline.lora.importing.parts import TensorRole
from pipeline.lora.importing.peft_config import PeftConfig, read_configs
from pipeline.lora.importing.report import TEXTUAL_INVERSION, Embedding, ImportReport, licence, trigger_words
from pipeline.models.safetensors_header import WeightsFile

# Weights of these models have a root mean square of some 0.03. A change under this one cannot be ten times its layer's
# weight, and then the weight need not be read to know.
_CALM: Final = 0.05
_EXPLODED: Final = 10.0


_LIMITS: Final = FileLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBase:
    """The model that LoRAs are imported for: its layers by name, and where their weights are."""

    family: ModelFamily
    layers: Layers
    names: LayerNames
    weights: BaseWeights

    @classmethod
    def of(cls, family: ModelFamily, layers: Layers, weights: BaseWeights) -> "ImportBase":
        """A base with all names that files give its layers.

        Args:
            family: of the model.
            layers: of the model.
            weights: of the model.

        Returns:
            The base.
        """
        return cls(family=family, layers=layers, names=LayerNames.of(layers), weights=weights)


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to import; `adapter_config` is the text of the adapter_config.json that lay beside it, if any.

    `word` activates a textual inversion that has no name of its own.
    """

    path: Path
    word: str = ""
    limits: FileLimits = _LIMITS
    adapter_config: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One layer of the base, and the update that a file has for it."""

    layer: BaseLayer
    change: Change
    algorithms: frozenset[Algorithm]


def import_lora(upload: Upload, base: ImportBase, target: Path) -> ImportReport:
    """Write the canonical form of a file; nothing is written of a file that is refused.

    Args:
        upload: an untrusted file.
        base: that it is to be used with.
        target: the canonical file.

    Returns:
        What is in it, and what was lost.

    Raises:
        UserError: one sentence of at most 200 characters: the file is no LoRA for this base, is damaged or hostile,
            or could only be applied in part.
    """
    file = read_header(upload.path, upload.limits)
    writer = CanonicalWriter(base.family)
    if (embedding := alone(file, base.family, base.layers, upload.word)) is not None:
        _teach(writer, file, (embedding,))
        writer.save(target)
        return _Sums().report(file, base, layout=TEXTUAL_INVERSION, embeddings=(embedding,), notes=())
    layers = FileLayers.of(file)
    refuse_other_kinds(layers)
    matched = match(layers, base.names, base.family)
    words = bundled(file, base.family, base.layers)
    sums = _store(changes(layers, matched, base, upload.adapter_config), base, writer)
    _teach(writer, file, words)
    report = sums.report(file, base, layout=matched.layout, embeddings=words, notes=_notes(matched))
    writer.save(target)
    return report


def changes(
    layers: FileLayers, matched: Matched, base: ImportBase, adapter_config: str | None = None
) -> Iterator[Found]:
    """The updates of a file, one layer at a time.

    Args:
        layers: of the file.
        matched: its layers' counterparts in the base.
        base: the model.
        adapter_config: the text of the adapter_config.json beside the file.

    Yields:
        The update of each layer of the base that the file changes.

    Raises:
        UserError: as `import_lora`.
    """
    configs = read_configs(layers.file.metadata, adapter_config)
    with opened(layers.file.path) as file:
        for layer, name in matched.names.items():
            tensors = _read(file, layers.layers[name], layer, configs)
            change, algorithms = change_of(tensors, layer, partial(base.weights.read, layer))
            _check_finite(change.tensors, layer)
            yield Found(layer=layer, change=change, algorithms=algorithms)


def _teach(writer: CanonicalWriter, file: WeightsFile, words: Sequence[Embedding]) -> None:
    with opened(file.path) as tensors:
        for word in words:
            vectors = {network: tensors.get_tensor(name).float() for network, name in word.tensors.items()}
            if not all(bool(own.isfinite().all()) for own in vectors.values()):
                raise UserError(f"The vectors of '{word.trigger}' hold infinite or missing numbers (NaN).")
            writer.add_word(word.trigger, {network: own.reshape(word.vectors, -1) for network, own in vectors.items()})


def _store(found: Iterable[Found], base: ImportBase, writer: CanonicalWriter) -> "_Sums":
    sums = _Sums()
    for each in found:
        sums.add_change(each)
        _store_vectors(each, base, writer)
        if each.layer.kind is LayerKind.NORM:
            continue
        if (lowered := lower(each.change, each.layer, partial(base.weights.read, each.layer))) is not None:
            _refuse_explosion(lowered.norm, each.layer, base)
            sums.add_stored(lowered, writer.add(each.layer.name, lowered.factors))
    if writer.empty:
        raise UserError("This file changes nothing, all its numbers are zeros; its training broke down.")
    return sums


def _store_vectors(found: Found, base: ImportBase, writer: CanonicalWriter) -> None:
    gain = found.change.dense if found.layer.kind is LayerKind.NORM else None
    if gain is not None:
        _refuse_explosion(float(gain.norm()), found.layer, base)
    for side, vector in (("gain", gain), ("bias", found.change.bias)):
        if vector is None or not vector.any():
            continue
        if not vector.half().isfinite().all():
            raise UserError(
                f"This file adds more to {found.layer.name} than half precision holds; it would break pictures."
            )
        writer.add_vector(f"{found.layer.name}.{side}", vector)


def _read(
    file: Any, parts: Mapping[TensorRole, str], layer: BaseLayer, configs: Mapping[str, PeftConfig]
) -> dict[TensorRole, Tensor]:
    """All tensors of one layer in float64, with the alpha that PEFT keeps elsewhere."""
    tensors = {part: file.get_tensor(name).to(torch.float64) for part, name in parts.items()}
    _check_finite(tensors.values(), layer)
    network, _, path = layer.name.partition(".")
    if TensorRole.DOWN in tensors and TensorRole.ALPHA not in tensors and network in configs:
        alpha = configs[network].alpha_of(path, tensors[TensorRole.DOWN].shape[0])
        if alpha is not None:
            tensors[TensorRole.ALPHA] = torch.tensor(alpha, dtype=torch.float64)
    return tensors


def _check_finite(tensors: Iterable[Tensor], layer: BaseLayer) -> None:
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise UserError(f"This file holds infinite or missing numbers (NaN), in {layer.name}; its training broke down.")


def _refuse_explosion(norm: float, layer: BaseLayer, base: ImportBase) -> None:
    if norm <= _CALM * sqrt(prod(layer.shape)):
        return
    ratio = norm / max(float(base.weights.read(layer).norm()), 1e-9)
    if ratio > _EXPLODED:
        raise UserError(f"This file changes {layer.name} by {ratio:.3g} times its own weight; it would break pictures.")


def _notes(matched: Matched) -> tuple[str, ...]:
    if not matched.twice:
        return ()
    return (f"The file holds {matched.twice} of its layers twice, by two ways of naming them; one half was taken.",)


class _Sums:
    """Totals over a file's layers."""

    def __init__(self) -> None:
        self._layers = 0
        self._algorithms: set[Algorithm] = set()
        self._ranks: list[int] = []
        self._energy = self._lost = self._rounded = self._worst = 0.0

    def add_change(self, found: Found) -> None:
        """Count one layer of the file.

        Args:
            found: the layer.
        """
        self._layers += 1
        self._algorithms |= found.algorithms

    def add_stored(self, lowered: Lowered, rounded: float) -> None:
        """Count one layer that was written.

        Args:
            lowered: as it was written.
            rounded: the norm of what half precision changed in it.
        """
        self._ranks.append(lowered.factors.rank)
        self._energy += lowered.norm**2
        self._lost += lowered.residual**2
        self._rounded += rounded**2
        if lowered.norm:
            self._worst = max(self._worst, lowered.residual / lowered.norm)

    def report(
        self,
        file: WeightsFile,
        base: ImportBase,
        *,
        layout: str,
        embeddings: tuple[Embedding, ...],
        notes: tuple[str, ...],
    ) -> ImportReport:
        """The report of the whole file.

        Args:
            file: that was imported.
            base: the model.
            layout: the file's way of naming layers.
            embeddings: its textual inversions.
            notes: sentences for the member.

        Returns:
            What its card in the library shows.
        """
        whole = self._energy or 1.0
        return ImportReport(
            layout=layout,
            algorithms=(*sorted(self._algorithms), *([TEXTUAL_INVERSION] if embeddings else [])),
            family=base.family,
            layers=self._layers,
            ranks=(min(self._ranks, default=0), max(self._ranks, default=0)),
            residual=sqrt(self._lost / whole),
            worst_residual=self._worst,
            rounding=sqrt(self._rounded / whole),
            embeddings=embeddings,
            trigger_words=tuple(
                dict.fromkeys((*(embedding.trigger for embedding in embeddings), *trigger_words(file.metadata)))
            ),
            licence=licence(file.metadata),
            sha256=_sha256(file.path),
            size=file.path.stat().st_size,
            notes=notes,
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
