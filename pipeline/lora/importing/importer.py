"""An untrusted LoRA file of any format to one canonical file and a report, or one sentence why not."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any, Final

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.parts import LowRank, Part, tensors_of
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.importing.base_layers import BaseLayer, Layers
from pipeline.lora.importing.changes import Algorithm, LayerChange, change_of
from pipeline.lora.importing.embeddings import alone, bundled
from pipeline.lora.importing.families import refuse_other_kinds
from pipeline.lora.importing.file_layers import BUNDLED, FileLayers, left_out
from pipeline.lora.importing.header import FileLimits, read_header
from pipeline.lora.importing.layer_names import LayerNames
from pipeline.lora.importing.matching import Matched, match
from pipeline.lora.importing.parts import TensorRole, shaped
from pipeline.lora.importing.peft_config import RANKED, PeftConfig, lacks_alpha, read_configs, trained_on
from pipeline.lora.importing.report import TEXTUAL_INVERSION, Embedding, ImportReport, licence, trigger_words
from pipeline.lora.importing.sides import check_sides
from pipeline.lora.importing.stated_bases import derivatives, proposed_sampling
from pipeline.lora.importing.strength import EXPLODED, strength
from pipeline.memory import memory_in_words
from pipeline.models.safetensors_header import WeightsFile

_LIMITS: Final = FileLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportBase:
    """The model that LoRAs are imported for: its layers by name; none of their weights is read."""

    family: ModelFamily
    layers: Layers
    names: LayerNames

    @classmethod
    def of(cls, family: ModelFamily, layers: Layers) -> "ImportBase":
        """A base with all names that files give its layers.

        Args:
            family: of the model.
            layers: of the model.

        Returns:
            The base.
        """
        return cls(family=family, layers=layers, names=LayerNames.of(layers))


@dataclass(frozen=True, slots=True, kw_only=True)
class Upload:
    """A file to import; `adapter_config` is the text of the adapter_config.json that lay beside it, if any.

    `word` activates a textual inversion that has no name of its own; `scale_rule` is whose program the LoRA follows at
    scales other than 1. `base_model` and `title` are what its page says, and `alpha` what its member says where the
    file does not.
    """

    path: Path
    word: str = ""
    limits: FileLimits = _LIMITS
    adapter_config: str | None = None
    scale_rule: ScaleRule = ScaleRule.LINEAR
    base_model: str = ""
    title: str = ""
    alpha: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One layer of the base, and the update that a file has for it."""

    layer: BaseLayer
    change: LayerChange


def import_lora(upload: Upload, base: ImportBase, target: Path) -> ImportReport:
    """Write the canonical form of a file; nothing is written of a file that is refused.

    Args:
        upload: an untrusted file.
        base: that it is to be used with.
        target: the canonical file.

    Returns:
        What is in it.

    Raises:
        UserError: one sentence of at most 200 characters: the file is no LoRA for this base, is damaged or hostile,
            or could only be applied in part.
    """
    file = read_header(upload.path, upload.limits)
    writer = CanonicalWriter(base.family, upload.scale_rule)
    if words := _words_alone(file, base, upload.word):
        _teach(writer, file, words)
        writer.save(target)
        return _Sums().report(
            file, base, upload.scale_rule, layout=TEXTUAL_INVERSION, embeddings=words, notes=left_out(file)
        )
    layers = FileLayers.of(file)
    refuse_other_kinds(layers)
    matched = match(
        layers, base.names, base.family, upload.base_model, trained_on(file.metadata, upload.adapter_config)
    )
    words = bundled(file, base.family, base.layers)
    sums = _store(changes(layers, matched, upload.adapter_config, upload.alpha), writer)
    _teach(writer, file, words)
    notes = (*_notes(matched), *layers.notes, *_alpha_note(layers, upload), *_origins(file, upload))
    report = sums.report(file, base, upload.scale_rule, layout=matched.layout, embeddings=words, notes=notes)
    writer.save(target)
    return replace(report, sampling=proposed_sampling(file.metadata, upload.title))


def changes(
    layers: FileLayers, matched: Matched, adapter_config: str | None = None, alpha: float | None = None
) -> Iterator[Found]:
    """The updates of a file, one layer at a time.

    Args:
        layers: of the file.
        matched: its layers' counterparts in the base.
        adapter_config: the text of the adapter_config.json beside the file.
        alpha: what the member says, for a file that says none.

    Yields:
        The update of each layer of the base that the file changes.

    Raises:
        UserError: as `import_lora`.
    """
    configs = read_configs(layers.file.metadata, adapter_config, alpha)
    with _opened(layers.file.path) as file:
        for layer, name in matched.names.items():
            if layer in matched.repeats:
                _check_alike(file, layers.layers[name], layers.layers[matched.repeats[layer]], layer)
            tensors = _read(file, layers.layers[name], layer, configs)
            change = change_of(tensors, layer)
            for part in change.parts:
                _check_finite((own.float() for own in tensors_of(part).values()), layer)
            yield Found(layer=layer, change=change)


def _words_alone(file: WeightsFile, base: ImportBase, word: str) -> tuple[Embedding, ...]:
    """The textual inversions of a file that holds nothing else."""
    if (embedding := alone(file, base.family, base.layers, word)) is not None:
        return (embedding,)
    return bundled(file, base.family, base.layers) if all(map(BUNDLED.fullmatch, file.tensors)) else ()


def _teach(writer: CanonicalWriter, file: WeightsFile, words: Sequence[Embedding]) -> None:
    with _opened(file.path) as tensors:
        for word in words:
            vectors = {network: tensors.get_tensor(name).float() for network, name in word.tensors.items()}
            if not all(bool(own.isfinite().all()) for own in vectors.values()):
                raise UserError(f"The vectors of '{word.trigger}' hold infinite or missing numbers (NaN).")
            writer.add_word(word.trigger, {network: own.reshape(word.vectors, -1) for network, own in vectors.items()})


def _store(found: Iterable[Found], writer: CanonicalWriter) -> "_Sums":
    sums = _Sums()
    for each in found:
        sums.add_change(each.change)
        _store_vectors(each, writer)
        for part in each.change.parts:
            if (size := strength(part, each.layer)) > 0:
                _refuse_explosion(size, each.layer)
                writer.add(each.layer.name, part)
                sums.add_stored(part)
    if writer.empty:
        raise UserError("This file changes nothing, all its numbers are zeros, or its alpha is.")
    return sums


def _store_vectors(found: Found, writer: CanonicalWriter) -> None:
    gain = found.change.gain
    if gain is not None:
        _refuse_explosion(float(gain.norm()) / sqrt(gain.numel()), found.layer)
    for side, vector in (("gain", gain), ("bias", found.change.bias)):
        if vector is None or not vector.any():
            continue
        if not vector.half().isfinite().all():
            raise UserError(
                f"This file adds more to {found.layer.name} than half precision holds; it would break pictures."
            )
        writer.add_vector(f"{found.layer.name}.{side}", vector)


def _check_alike(
    file: Any, first: Mapping[TensorRole, str], second: Mapping[TensorRole, str], layer: BaseLayer
) -> None:
    pairs = ((file.get_tensor(first[part]), file.get_tensor(second[part])) for part in first.keys() & second.keys())
    if first.keys() != second.keys() or not all(torch.equal(own.flatten(), other.flatten()) for own, other in pairs):
        raise UserError(f"This file changes {layer.name} twice, under two names, by different numbers.")


def _read(
    file: Any, parts: Mapping[TensorRole, str], layer: BaseLayer, configs: Mapping[str, PeftConfig]
) -> dict[TensorRole, Tensor]:
    """All tensors of one layer in float64, with the alpha that PEFT keeps elsewhere."""
    tensors = {part: shaped(file.get_tensor(name).to(torch.float64), name, part) for part, name in parts.items()}
    check_sides(tensors, layer)
    _check_finite(tensors.values(), layer)
    network, _, path = layer.name.partition(".")
    ranked = next((part for part in tensors if part in RANKED), None)
    if ranked is not None and TensorRole.ALPHA not in tensors and network in configs:
        alpha = configs[network].alpha_of(path, tensors[ranked].shape[0])
        if alpha is not None:
            tensors[TensorRole.ALPHA] = torch.tensor(alpha, dtype=torch.float64)
        if alpha == 0.0:  # turns a layer off in PEFT's config, where in a tensor it stands for the rank
            tensors[ranked] = torch.zeros_like(tensors[ranked])
    if ranked is not None and TensorRole.MAGNITUDE not in tensors and network in configs and configs[network].dora:
        raise UserError(f"This file is incomplete: its config says DoRA, and {layer.name} has no magnitude.")
    return tensors


def _check_finite(tensors: Iterable[Tensor], layer: BaseLayer) -> None:
    if not all(bool(tensor.isfinite().all()) for tensor in tensors):
        raise UserError(f"This file holds infinite or missing numbers (NaN), in {layer.name}; its training broke down.")


def _refuse_explosion(size: float, layer: BaseLayer) -> None:
    if size > EXPLODED:
        raise UserError(f"This file changes {layer.name} by {size:.3g} times a usual weight; it would break pictures.")


def _notes(matched: Matched) -> tuple[str, ...]:
    notes = []
    if matched.repeats:
        notes.append(f"The file holds {len(matched.repeats)} of its layers twice, by two ways of naming them.")
    if matched.unused:
        notes.append("Its projection of the first text encoder was left out; no image of this base depends on it.")
    return tuple(notes)


def _origins(file: WeightsFile, upload: Upload) -> tuple[str, ...]:
    return tuple(own.sentence for own in derivatives(file.metadata, upload.base_model, upload.title))


def _alpha_note(layers: FileLayers, upload: Upload) -> tuple[str, ...]:
    if not lacks_alpha(layers, upload.adapter_config):
        return ()
    if upload.alpha is not None:
        return (f"Alpha {upload.alpha:g}, as its member says.",)
    return (
        "This file came without PEFT's adapter_config.json, so its alpha is not known and its rank was taken; "
        "add it again with alpha to set another.",
    )


class _Sums:
    """Totals over a file's layers."""

    def __init__(self) -> None:
        self._layers = 0
        self._algorithms: set[Algorithm] = set()
        self._ranks: list[int] = []

    def add_change(self, change: LayerChange) -> None:
        """Count one layer of the file.

        Args:
            change: of the layer.
        """
        self._layers += 1
        self._algorithms |= change.algorithms

    def add_stored(self, part: Part) -> None:
        """Count one part that was written.

        Args:
            part: as it was written.
        """
        if isinstance(part.change, LowRank):
            self._ranks.append(int(part.change.down.shape[0]))

    def report(
        self,
        file: WeightsFile,
        base: ImportBase,
        scale_rule: ScaleRule,
        *,
        layout: str,
        embeddings: tuple[Embedding, ...],
        notes: tuple[str, ...],
    ) -> ImportReport:
        """The report of the whole file.

        Args:
            file: that was imported.
            base: the model.
            scale_rule: that it is to follow.
            layout: the file's way of naming layers.
            embeddings: its textual inversions.
            notes: sentences for the member.

        Returns:
            What its card in the library shows.
        """
        return ImportReport(
            layout=layout,
            algorithms=(*sorted(self._algorithms), *([TEXTUAL_INVERSION] if embeddings else [])),
            family=base.family,
            scale_rule=scale_rule,
            layers=self._layers,
            ranks=(min(self._ranks, default=0), max(self._ranks, default=0)),
            embeddings=embeddings,
            trigger_words=tuple(
                dict.fromkeys((*(embedding.trigger for embedding in embeddings), *trigger_words(file.metadata)))
            ),
            licence=licence(file.metadata),
            sha256=_sha256(file.path),
            data_sha256=_sha256(file.path, file.data_start),
            size=file.path.stat().st_size,
            notes=notes,
        )


def _sha256(path: Path, start: int = 0) -> str:
    with path.open("rb") as file:
        file.seek(start)
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """A safetensors file, to be read tensor by tensor; raises UserError where it is damaged."""
    try:
        with memory_in_words(path.name), safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path.name} is damaged or lacks a tensor; download it again.") from error
