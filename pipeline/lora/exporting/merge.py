"""Several canonical LoRAs, each at its scale, merged into one.

A sum of low-rank updates is one low-rank update whose halves are the members' side by side, so nothing is lost but the
last bits.
"""

from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load

from pipeline.errors import UserError
from pipeline.lora.exporting.merge_process import Merged, MergeInput
from pipeline.lora.format.file import MAX_RANK, LoraFile, word_name
from pipeline.lora.importing.canonical_writer import save_canonical


def merge(members: Sequence[MergeInput], target: Path) -> Merged:
    """As `merge_apart`, in this process.

    Args:
        members: all of one family.
        target: the merged file.

    Returns:
        What is in it.

    Raises:
        UserError: a file is damaged, the ranks add up to more than MAX_RANK, or nothing is changed at these scales.
    """
    files = [LoraFile.open(member.path) for member in members]
    ranks = _ranks(members, files)
    words: dict[str, dict[str, torch.Tensor]] = {}
    halves: dict[str, list[tuple[torch.Tensor, torch.Tensor]]] = {}
    vectors: dict[str, torch.Tensor] = {}
    for member, file in zip(members, files, strict=True):
        tensors = load(member.path.read_bytes())
        for place, word in enumerate(file.words if member.text_encoder_scale else ()):
            words.setdefault(word, {network: tensors[own] for network, own in file.word_tensors(place).items()})
        for name in file.layers:
            if name in ranks and (scale := member.scale_of(name)):
                down, up = tensors.pop(f"{name}.down").float(), tensors.pop(f"{name}.up").float()
                halves.setdefault(name, []).append((down, up * scale))
        for name in file.vectors:
            if scale := member.scale_of(name):
                vectors[name] = vectors.get(name, 0) + tensors[name].float() * scale
    fused = vectors
    for name, own in halves.items():
        fused[f"{name}.down"] = torch.cat([down for down, _ in own])
        fused[f"{name}.up"] = torch.cat([up for _, up in own], dim=1)
    for place, vectors in enumerate(words.values()):
        fused |= {word_name(network, place): own for network, own in vectors.items()}
    save_canonical(fused, files[0].family, target, list(words))
    low, high = min(ranks.values(), default=0), max(ranks.values(), default=0)
    return Merged(layers=len(ranks), ranks=(low, high), size=target.stat().st_size)


def _ranks(members: Sequence[MergeInput], files: Sequence[LoraFile]) -> dict[str, int]:
    """The rank of every layer that is changed; raises UserError for one that no file may have."""
    ranks: dict[str, int] = {}
    for member, file in zip(members, files, strict=True):
        for name, layer in file.layers.items():
            if member.scale_of(name):
                ranks[name] = ranks.get(name, 0) + layer.rank
    highest = max(ranks.values(), default=0)
    besides = any(
        (file.words and member.text_encoder_scale) or any(map(member.scale_of, file.vectors))
        for member, file in zip(members, files, strict=True)
    )
    if not highest and not besides:
        raise UserError("At these scales the set changes nothing; give one of them another scale than 0.")
    if highest > MAX_RANK:
        raise UserError(f"Together these LoRAs have rank {highest}, more than the {MAX_RANK} of one; leave one out.")
    return ranks
