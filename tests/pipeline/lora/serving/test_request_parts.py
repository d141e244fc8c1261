"""Block weights, windows of steps and the two scales, against models whose weights are merged by hand for each step."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import pytest
import torch
from diffusers import DiffusionPipeline
from torch import Tensor

from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.loaded_model import LoadedModel
from pipeline.families.family import ModelFamily
from pipeline.families.lora_blocks import LORA_BLOCKS, block_of
from pipeline.lora.format.parts import LowRank, Part
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.lora.serving.adapter_pool import Adapter
from pipeline.lora.serving.request_parts import UNetParts
from pipeline.models.hardware import Hardware
from pipeline.models.source import ModelSource
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from pipeline.requests.step_window import StepWindow
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.random_loras import random_lora


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A use, and by hand: the weight of each block (1 where it is not named) and the steps in which it is active."""

    key: str
    scale: float
    text: float
    weights: Mapping[str, float]
    outside: float = 1.0
    steps: range = range(99)
    blocks: str | None = None
    window: StepWindow | None = None

    @property
    def use(self) -> LoraUse:
        return LoraUse(
            key=self.key, name=self.key, scale=self.scale, text_encoder_scale=self.text,
            blocks=self.blocks, window=self.window,
        )  # fmt: skip

    def scale_of(self, name: str, step: int | None) -> float:
        """Of a tensor by its canonical name, at a step of the UNet; None while texts are read."""
        network, _, path = name.partition(".")
        if network != "unet":
            return self.text * self.weights.get("BASE", 1.0)
        if step is None or step not in self.steps:
            return 0.0
        return self.scale * (self.outside if (block := block_of(path)) is None else self.weights.get(block, 1.0))


def listed(form: Sequence[str], family: ModelFamily) -> tuple[str, dict[str, float]]:
    """A list with another weight for each block of a form, and what it says of all blocks."""
    weights = {block: round(1.2 - 0.11 * place, 2) for place, block in enumerate(form)}
    text = ",".join(f"{weight:g}" for weight in weights.values())
    return text, {**dict.fromkeys(LORA_BLOCKS[family].all, 0.0), **weights}


def wanted(family: ModelFamily) -> list[list[Wanted]]:
    own = LORA_BLOCKS[family]
    (short, of_short), (long, of_long) = (listed(form, family) for form in (own.attentive, own.all))
    outs = {block: float(block == "BASE" or (block.startswith("OUT") and block in own.attentive)) for block in own.all}
    middle = {**dict.fromkeys(own.all[1:], 0.0), "M00": 0.9 / 0.5, **{b: 1.0 for b in own.all if b.startswith("OUT")}}
    late, early = StepWindow(start=3), StepWindow(stop=0.5)
    style = Wanted(key="style", scale=0.9, text=0.4, weights=of_short, blocks=short)
    deep = Wanted(key="deep", scale=-0.8, text=1.0, weights={}, window=early, steps=range(1))
    return [
        [],
        [style],
        [Wanted(key="norms", scale=0.7, text=0.0, weights=of_long, blocks=long, window=late, steps=range(2, 4))],
        [deep, replace(style, text=-0.5, window=late, steps=range(2, 4))],
        [
            Wanted(key="deep", scale=1.0, text=0.5, weights=outs, blocks="OUTALL"),
            Wanted(key="norms", scale=0.5, text=0.5, weights=middle, outside=0.0, blocks="in=0:mid=0.9"),
        ],
    ]


VECTORS = (
    "unet.down_blocks.1.resnets.0.norm1.gain",
    "unet.mid_block.resnets.1.norm2.bias",
    "unet.up_blocks.0.resnets.0.norm1.bias",
    "unet.conv_out.bias",
    "unet.time_embedding.linear_1.bias",
    "text_encoder.final_layer_norm.gain",
)


def parameters(model: LoadedModel) -> dict[str, Tensor]:
    """The weights and biases of all networks, by canonical name."""
    networks = {"unet": model._checkpoint.unet, **{own.network: own.model for own in model._checkpoint.text_encoders}}
    return {
        f"{name}.{path.removeprefix('text_model.')}": weight
        for name, network in networks.items()
        for path, weight in network.named_parameters()
    }


def saved(folder: Path, model: Path, family: ModelFamily) -> dict[str, dict[str, Tensor]]:
    """Write a LoRA in pages, one on own weights, and one of vectors beside pages; what each adds to which parameter."""
    pipeline, vectors = DiffusionPipeline.from_pretrained(model), torch.Generator().manual_seed(3)
    layers = {
        "style": random_lora(pipeline, "style", rank=4, wanted=lambda layer: True, seed=1),
        "deep": random_lora(pipeline, "deep", rank=65, wanted=lambda layer: ".attn" in layer, seed=2),
        "norms": random_lora(pipeline, "norms", rank=2, wanted=lambda layer: ".conv1" in layer, seed=3),
    }
    changes: dict[str, dict[str, Tensor]] = {}
    for key, own in layers.items():
        writer, changes[key] = CanonicalWriter(family), {}
        for layer, (down, up) in own.layers.items():
            writer.add(layer, Part(change=LowRank(down=down, up=up)))
            changes[key][f"{layer}.weight"] = up.double() @ down.double().flatten(1)
        for vector in VECTORS if key == "norms" else ():
            network, _, path = vector.replace(".gain", ".weight").partition(".")
            named = dict(getattr(pipeline, network).named_parameters())
            like = named[path] if path in named else named[f"text_model.{path}"]
            values = 0.2 * torch.randn(like.shape, generator=vectors)
            writer.add_vector(vector, values)
            changes[key][f"{network}.{path}"] = values.double()
        writer.save(folder / f"{key}.safetensors")
    return changes


class ByHand:
    """A model without LoRAs, whose weights are merged again for each step."""

    def __init__(self, model: LoadedModel, changes: Mapping[str, Mapping[str, Tensor]]) -> None:
        self._model, self._changes = model, changes
        self._weights = parameters(model)
        self._pristine = {name: weight.data.double() for name, weight in self._weights.items()}

    def latents(self, request: ImageRequest, uses: Sequence[Wanted]) -> Tensor:
        denoiser = self._model.denoiser
        self._merge(uses, None)
        self._model._encoder._remembered.clear()
        rendering = self._model.begin(request, ())
        rows = tuple(range(rendering.conditioning.rows))
        memory = denoiser.open(len(rows), pages=0)
        while not rendering.sampler.finished:
            self._merge(uses, rendering.sampler.progress)
            denoiser.assign(memory, rendering, rows)
            denoiser.advance(memory, [rendering])
        return rendering.latents

    def _merge(self, uses: Sequence[Wanted], step: int | None) -> None:
        for name, pristine in self._pristine.items():
            merged = pristine.clone()
            for use in uses:
                if name in self._changes[use.key]:
                    merged += use.scale_of(name, step) * self._changes[use.key][name].view_as(merged)
            self._weights[name].data = merged.float()


def together(model: LoadedModel, requests: Sequence[ImageRequest]) -> list[Tensor]:
    """The latents of all in one batch, each joining one step after the one before it."""
    adapters = []
    for request in requests:
        acquired = model.loras.acquire(request, 60.0)
        assert acquired is not None
        adapters.append(acquired)
    parts = [UNetParts.of(*own, model.facts.family) for own in zip(requests, adapters, strict=True)]
    bucket = 2 * len(requests)
    memory = model.denoiser.open(bucket, max(own.pages for own in parts), own=any(own.own_weights for own in parts))
    waiting = [model.begin(*own) for own in zip(requests, adapters, strict=True)]
    everyone, running, free = list(waiting), list[DenoisingState](), iter(range(bucket))
    while waiting or running:
        if waiting:
            newcomer = waiting.pop(0)
            model.denoiser.assign(memory, newcomer, tuple(islice(free, newcomer.conditioning.rows)))
            running.append(newcomer)
        model.denoiser.advance(memory, running)
        running = [rendering for rendering in running if not rendering.sampler.finished]
    return [rendering.latents for rendering in everyone]


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("mote", ModelFamily.SDXL),
        ("sd15", ModelFamily.SD15),
        pytest.param("nano", ModelFamily.SDXL, marks=pytest.mark.soak),
    ],
)
def test_blocks_and_steps_in_a_mixed_batch_are_those_of_models_merged_by_hand(
    name: str, family: ModelFamily, model_folder: Callable[[str], Path], tmp_path: Path
) -> None:
    """On pages, own weights and vectors, in texts and UNet, with samplers of one and of two calls a step."""
    changes = saved(tmp_path, model_folder(name), family)
    source, cpu = ModelSource.parse(str(model_folder(name))), Hardware.choose("cpu")
    served = LoadedModel(source, cpu, replace(SPEC, loras=tmp_path))
    by_hand = ByHand(LoadedModel(source, cpu, SPEC), changes)
    uses = wanted(family)
    samplers = (Scheduler.EULER, Scheduler.HEUN, Scheduler.DPMPP_2M, Scheduler.HEUN, Scheduler.EULER)
    plain = [a_request(seed=seed, scheduler=sampler, model=name) for seed, sampler in enumerate(samplers)]
    requests = [
        replace(request, loras=tuple(own.use for own in group)) for request, group in zip(plain, uses, strict=True)
    ]

    ours = together(served, requests)

    for request, group, latents in zip(plain, uses, ours, strict=True):
        expected, without = by_hand.latents(request, group), by_hand.latents(request, ())
        assert float((latents - expected).norm() / expected.norm()) < 1e-5, group
        assert not group or float((without - expected).norm() / expected.norm()) > 1e-3


def adapter(key: str, pages: int, *, own: bool = False) -> Adapter:
    numbers = {("unet", 0): tuple(range(pages))} if pages else {}
    return Adapter(key=key, pages=numbers, used={}, size=0, parts={"unet": {}} if own else {})


def test_a_group_has_room_for_what_any_step_needs() -> None:
    """Not for the sum of LoRAs that are never active together; one that is never active needs none."""
    adapters = (adapter("a", 2), adapter("b", 1), adapter("c", 0, own=True))
    windows = (StepWindow(stop=3), StepWindow(start=3), StepWindow(start=9))
    loras = tuple(LoraUse(key=own.key, name=own.key, window=w) for own, w in zip(adapters, windows, strict=True))

    parts = UNetParts.of(a_request(steps=4, loras=loras), adapters, ModelFamily.SDXL)

    assert (parts.pages, parts.own_weights) == (2, False)
    assert [[part.adapter.key for part in parts.at(step)] for step in range(4)] == [["a"], ["a"], ["b"], ["b"]]
    longer = UNetParts.of(a_request(steps=9, loras=loras), adapters, ModelFamily.SDXL)
    assert (longer.pages, longer.own_weights) == (2, True)
