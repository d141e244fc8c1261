"""Several canonical LoRAs, each at its scale, kept as one: all their parts, side by side and unchanged."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from pipeline.errors import UserError
from pipeline.lora.exporting.merge_process import Merged, MergeInput
from pipeline.lora.format.file import LoraFile
from pipeline.lora.format.part_header import MAX_PARTS, PartHeader, PartKind
from pipeline.lora.format.parts import parts_of
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter


def merge(members: Sequence[MergeInput], target: Path) -> Merged:
    """As `merge_apart`, in this process.

    Args:
        members: all of one family.
        target: the merged file.

    Returns:
        What is in it.

    Raises:
        UserError: a file is damaged, they follow different scale rules, or nothing is changed at these scales.
    """
    files = [LoraFile.open(member.path) for member in members]
    writer = CanonicalWriter(files[0].family, _rule(files))
    words: dict[str, dict[str, Tensor]] = {}
    vectors: dict[str, Tensor] = {}
    layers: dict[str, int] = {}
    for member, file in zip(members, files, strict=True):
        tensors = load(member.path.read_bytes())
        for place, word in enumerate(file.words if member.text_encoder_scale else ()):
            words.setdefault(word, {network: tensors[own] for network, own in file.word_tensors(place).items()})
        for name, headers in file.layers.items():
            if scale := member.scale_of(name):
                layers[name] = layers.get(name, 0) + len(headers)
                for part in parts_of(headers, name, tensors):
                    writer.add(name, replace(part, scale=part.scale * scale))
        for name in file.vectors:
            if scale := member.scale_of(name):
                vectors[name] = vectors.get(name, 0) + tensors[name].float() * scale
    for name, vector in vectors.items():
        writer.add_vector(name, vector)
    for word, own in words.items():
        writer.add_word(word, own)
    if writer.empty:
        raise UserError("At these scales the set changes nothing; give one of them another scale than 0.")
    if max(layers.values(), default=0) > MAX_PARTS:
        raise UserError(f"Together these LoRAs have more than {MAX_PARTS} parts in one layer; leave one out.")
    writer.save(target)
    return Merged(layers=len(layers), size=target.stat().st_size)


def _rule(files: Sequence[LoraFile]) -> ScaleRule:
    """The rule of those whose parts it makes a difference to; raises UserError where there are several."""
    rules = {file.scale_rule for file in files if any(map(_follows, file.layers.values()))}
    if len(rules) > 1:
        raise UserError(
            "These LoRAs follow the scale rules of different programs, and a set follows one; leave one out."
        )
    return next(iter(rules), ScaleRule.LINEAR)


def _follows(parts: Sequence[PartHeader]) -> bool:
    return any(part.normed or part.kind is PartKind.TURN for part in parts)
