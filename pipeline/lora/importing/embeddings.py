"""Textual inversions (Gal et al., 2022, arXiv 2208.01618): a file of their own, or bundled in a LoRA's."""

from collections.abc import Mapping
from typing import Final

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.lora.format.file import QUERIES, encoders_of
from pipeline.lora.importing.base_layers import Layers
from pipeline.lora.importing.file_layers import BUNDLED, OUTPUT
from pipeline.lora.importing.report import Embedding, clean
from pipeline.models.safetensors_header import TensorHeader, WeightsFile

MAX_VECTORS: Final = 512
_ENCODERS: Final = {"clip_l": "text_encoder", "clip_g": "text_encoder_2"}
_UNNAMED: Final = frozenset({"emb_params", "string_to_param.*", "*"})
_MAX_TENSORS: Final = 4
_MAX_TRIGGER: Final = 80
# What prompts and lists of words take for marks.
_MARKS: Final = str.maketrans(dict.fromkeys("()[]\\:,", " "))


def bundled(file: WeightsFile, family: ModelFamily, layers: Layers) -> tuple[Embedding, ...]:
    """The textual inversions in a LoRA file.

    Args:
        file: the LoRA's.
        family: of the base.
        layers: of the base, whose text encoders' widths the vectors must have.

    Returns:
        One for each trigger.

    Raises:
        UserError: one does not fit this base's text encoders.
    """
    found: dict[str, dict[str, TensorHeader]] = {}
    for name, tensor in file.tensors.items():
        if (match := BUNDLED.fullmatch(name)) is not None and not OUTPUT.search(name):
            found.setdefault(match["trigger"], {})[name] = tensor
    return tuple(_embedding(trigger, tensors, family, layers) for trigger, tensors in found.items())


def alone(file: WeightsFile, family: ModelFamily, layers: Layers, word: str) -> Embedding | None:
    """The textual inversion that a whole file is.

    Args:
        file: any weights file.
        family: of the base.
        layers: of the base.
        word: activates it, where the file itself names no trigger.

    Returns:
        None if the file is no textual inversion.

    Raises:
        UserError: it does not fit this base's text encoders.
    """
    tensors = {name: tensor for name, tensor in file.tensors.items() if not OUTPUT.search(name)}
    names = list(tensors)
    flat = all(1 <= len(tensor.shape) <= 2 for tensor in tensors.values())
    known = all(name in _ENCODERS or name in _UNNAMED for name in names)
    # A token that stands for itself: one tensor whose name is no path, as diffusers saves it.
    lone = len(names) == 1 and not {".", ":"} & {*names[0]}
    if not names or not flat or len(names) > _MAX_TENSORS or not (known or lone):
        return None
    return _embedding(word if known else names[0], tensors, family, layers)


def _embedding(trigger: str, tensors: Mapping[str, TensorHeader], family: ModelFamily, layers: Layers) -> Embedding:
    wanted = {network: layers[f"{network}.{QUERIES}"].inputs for network in encoders_of(family)}
    placed: dict[str, str] = {}
    counts = set()
    if not all(1 <= len(tensor.shape) <= 2 for tensor in tensors.values()):
        raise UserError("The vectors of a textual inversion in this file have a wrong shape; download it again.")
    for name, tensor in tensors.items():
        vectors, width = (1, *tensor.shape)[-2:]
        own = _ENCODERS.get(name.rpartition(".")[2])
        network = own or next((n for n, w in wanted.items() if w == width and n not in placed), None)
        if network is None or network in placed or wanted.get(network) != width:
            raise _other_base([(1, *header.shape)[-1] for header in tensors.values()], family, wanted)
        placed[network] = name
        counts.add(vectors)
    # One of two encoders alone must be named: by its width, SDXL's first is any SD 1.5 file's.
    if placed.keys() != wanted.keys() and not all(name.rpartition(".")[2] in _ENCODERS for name in tensors):
        raise _other_base([(1, *header.shape)[-1] for header in tensors.values()], family, wanted)
    if len(counts) != 1 or not 1 <= max(counts) <= MAX_VECTORS:
        raise UserError("This textual inversion has no, too many, or unequal numbers of vectors; download it again.")
    spoken = clean(trigger.translate(_MARKS), _MAX_TRIGGER)
    if not spoken:
        raise UserError("This textual inversion has no name that can stand in a prompt; rename it and add it again.")
    return Embedding(trigger=spoken, tensors=placed, vectors=max(counts))


def _other_base(widths: list[int], family: ModelFamily, wanted: Mapping[str, int]) -> UserError:
    theirs, ours = (" and ".join(str(width) for width in some) for some in (widths, wanted.values()))
    return UserError(
        f"This textual inversion was made for another base: it has vectors of {theirs:.60}, "
        f"{FAMILIES[family].name} takes {ours}."
    )
