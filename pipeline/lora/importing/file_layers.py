"""A LoRA file's tensors, sorted by the layer that they change."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.errors import UserError
from pipeline.lora.importing.parts import TensorRole, split_name
from pipeline.models.safetensors_header import TensorHeader, WeightsFile

BUNDLED: Final = re.compile(r"bundle_emb\.(?P<trigger>.+?)\.(?P<part>string_to_param\.\*|emb_params|clip_[lg]|[\w*]+)")
"""Part of a textual inversion; a trigger may itself hold dots, and what follows the last part is the trainer's own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLayers:
    """What a file holds: `layers` by its own names, with the tensor of each part; `unknown` tensors are no part of a
    layer.
    """

    file: WeightsFile
    layers: Mapping[str, Mapping[TensorRole, str]]
    unknown: tuple[str, ...]

    @classmethod
    def of(cls, file: WeightsFile) -> "FileLayers":
        """Sort the tensors of a file by layer; textual inversions are left out.

        Args:
            file: any weights file.

        Returns:
            Its layers.

        Raises:
            UserError: two tensors are the same part of the same layer.
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
        return cls(file=file, layers=layers, unknown=tuple(unknown))

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
