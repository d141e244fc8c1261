"""Several canonical LoRAs, each at its scale, as one: in a child process, since torch is the parent's to avoid.

A sum of low-rank changes is one low-rank change: its halves are the members' side by side, so nothing is lost but the
last bits. `python -m pipeline.lora.exporting.merge` reads one order from its input and writes one answer, both JSON.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.errors import UserError
from pipeline.lora.format.file import MAX_RANK, LoraFile, word_name
from pipeline.processes.child import ask, running

_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MergeInput:
    """A canonical file and how strongly it is meant in the UNet and in the text encoders."""

    path: Path
    scale: float
    text_encoder_scale: float

    def scale_of(self, layer: str) -> float:
        """The scale of `layer`, by its canonical name."""
        return self.scale if layer.startswith("unet.") else self.text_encoder_scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Fused:
    """What came of it: how many layers, their lowest and highest rank, the file's size in bytes."""

    layers: int
    ranks: tuple[int, int]
    size: int


async def fuse_apart(members: Sequence[MergeInput], target: Path) -> Fused:
    """Write what `members`, all of one family, do together to `target`; raises UserError where that cannot be."""
    told = {"members": [asdict(member) for member in members], "target": target}
    async with running("pipeline.lora.exporting.merge") as child:
        answer = json.loads(await ask(child, told, _SECONDS) or '{"refused": ""}')
    if (sentence := answer.get("refused")) is not None:
        raise UserError(sentence or "These LoRAs could not be put together here; try fewer.")
    low, high = answer["ranks"]
    return Fused(layers=answer["layers"], ranks=(low, high), size=answer["size"])


def merge(members: Sequence[MergeInput], target: Path) -> Fused:
    """As `fuse_apart`, in this process."""
    import torch  # noqa: PLC0415 - as above
    from safetensors.torch import load  # noqa: PLC0415 - as above

    from pipeline.lora.importing.canonical_writer import save_canonical  # noqa: PLC0415 - as above

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
    return Fused(layers=len(ranks), ranks=(low, high), size=target.stat().st_size)


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


def _answer(told: dict[str, Any]) -> dict[str, Any]:
    members = [MergeInput(**{**member, "path": Path(member["path"])}) for member in told["members"]]
    try:
        return asdict(merge(members, Path(told["target"])))
    except UserError as error:
        return {"refused": str(error)}


if __name__ == "__main__":
    json.dump(_answer(json.load(sys.stdin)), sys.stdout)
