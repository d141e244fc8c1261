"""A LoRA file's tensors, sorted by the layer that they change."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.lora.importing.parts import TensorRole, split_name
from pipeline.models.safetensors_header import TensorHeader, WeightsFile

BUNDLED: Final = re.compile(
    r"bundle_emb\.(?P<trigger>.+?)\.(?P<part>string_to_param\.\*|emb_params|clip_[lg](?:_out)?|[\w*]+)"
)
"""Part of a textual inversion; a trigger may itself hold dots, and what follows the last part is the trainer's own."""

OUTPUT: Final = re.compile(r"(?:^|\.)clip_[lg]_out$", re.ASCII)
"""OneTrainer's vectors for what a text encoder gives, beside those for what it reads."""

_HALVES: Final = frozenset({TensorRole.UP, TensorRole.DOWN, TensorRole.ALPHA})


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayers:
    """What a file holds: `layers` by its own names, with the tensor of each part; `unknown` tensors are no part of a
    layer; `notes` say what was left out, because it changes nothing or is not served.
    """

    file: WeightsFile
    layers: Mapping[str, Mapping[TensorRole, str]]
    unknown: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @classmethod
    def of(cls, file: WeightsFile) -> "FileLayers":
        """Sort the tensors of a file by layer; textual inversions are left out.

        Args:
            file: any weights file.

        Returns:
            Its layers.

        Raises:
            UserError: two tensors are the same part of the same layer, or no layer changes anything.
        """
        layers: dict[str, dict[TensorRole, str]] = {}
        unknown = []
        for name in file.tensors:
            if BUNDLED.fullmatch(name):
                continue
            if (split := split_name(name)) is None:
                unknown.append(name)
                continue
            layer, part = split
            if layers.setdefault(layer, {}).setdefault(part, name) != name:
                raise UserError("This file holds several adapters that change the same layers; add them one by one.")
        kept = {name: parts for name, parts in layers.items() if not _changes_nothing(parts, file)}
        if layers and not kept:
            raise UserError("This file changes nothing, none of its layers has a rank; add another version of it.")
        return cls(file=file, layers=kept, unknown=tuple(unknown), notes=left_out(file, len(layers) - len(kept)))

    def header(self, layer: str, part: TensorRole) -> TensorHeader | None:
        """The shape and type of one part of a layer.

        Args:
            layer: as the file names it.
            part: of the layer.

        Returns:
            None if the layer has no such part.
        """
        name = self.layers[layer].get(part)
        return None if name is None else self.file.tensors[name]

    @property
    def weights_only(self) -> bool:
        """Whether no layer has anything but a `.weight`: then these are a model's own weights, not updates of them."""
        return all(parts.keys() == {TensorRole.GAIN} for parts in self.layers.values())

    @property
    def own_weight(self) -> str | None:
        """A layer that has a `.weight` alone, in a file where that is no gain of (IA)^3; None without one."""
        if any(TensorRole.GAIN_ON_INPUT in parts for parts in self.layers.values()):
            return None
        return next((name for name, parts in self.layers.items() if parts.keys() == {TensorRole.GAIN}), None)


def _changes_nothing(parts: Mapping[TensorRole, str], file: WeightsFile) -> bool:
    """Whether these are halves of rank 0, as resizing leaves them, or an alpha that stayed behind alone."""
    if not parts.keys() <= _HALVES:
        return False
    halves = [parts[half] for half in (TensorRole.UP, TensorRole.DOWN) if half in parts]
    return len(halves) != 1 and all(0 in file.tensors[name].shape for name in halves)


def left_out(file: WeightsFile, empty: int = 0) -> tuple[str, ...]:
    """What of a file is not taken, as sentences for its member.

    Args:
        file: any weights file.
        empty: the number of its layers that change nothing.

    Returns:
        None where all of it is taken.
    """
    notes = []
    if empty:
        notes.append(f"Layers of the file without a rank, which change nothing: {empty}; they were left out.")
    if any(OUTPUT.search(name) for name in file.tensors):
        notes.append("Its output embeddings, which are added after a text encoder, were left out; they are not served.")
    return tuple(notes)
