"""Rows with LoRAs of their own against diffusers' pipelines with the same LoRAs loaded, in float32."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch

from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Faulted, Refused
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.engine.diffusers_pipelines import PIPELINES, load_pipeline, run_diffusers
from tests.pipeline.random_loras import RandomLora, combined, random_lora

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def of_attention(name: str) -> bool:
    return name.startswith("unet.") and name.endswith(ATTENTION)


def of_unet(name: str) -> bool:
    return name.startswith("unet.")


def of_middle_convolutions(name: str) -> bool:
    return "mid_block" in name and ".conv" in name


def of_queries_and_text(name: str) -> bool:
    return name.startswith("text") or name.endswith("to_q")


KINDS: dict[str, tuple[int, Callable[[str], bool]]] = {
    "attention-4": (4, of_attention),
    "everything-20": (20, of_unet),
    "convolutions-128": (128, of_middle_convolutions),
    "text-80": (80, of_queries_and_text),
}
USES: tuple[tuple[tuple[str, float], ...], ...] = (
    (),
    (("attention-4", 1.0),),
    (("text-80", 1.5),),
    (("everything-20", -0.7), ("attention-4", 0.3), ("text-80", 0.8), ("attention-4", 1.2)),
    (("everything-20", 0.5),),
    (("attention-4", 0.3), ("text-80", 0.8)),
    (("convolutions-128", 0.5), ("attention-4", 0.7)),
)
# One batch for all: sixteen rows, as many pages as the deepest in pages needs, and own weights for what is deeper.
TOGETHER = {"bucket": 16, "lora_pages": 4, "own_weights": True}


@dataclass(frozen=True, kw_only=True)
class Bench:
    """One model in diffusers, its LoRAs, and where the engine finds both."""

    pipeline: Any
    config: Any
    model: Path
    loras: dict[str, RandomLora]
    folder: Path

    def engine(self) -> Engine:
        return Engine(replace(SPEC, models=(str(self.model),), loras=self.folder, max_rows=16, preview_every=0))

    def latents(self, request: ImageRequest) -> torch.Tensor:
        if not request.loras:
            return run_diffusers(self.pipeline, request, self.config)
        stack = combined([(self.loras[lora.key], lora.scale) for lora in request.loras])
        with self.loaded(stack):
            return run_diffusers(self.pipeline, request, self.config)

    @contextmanager
    def loaded(self, lora: RandomLora) -> Iterator[None]:
        """By diffusers' own loader; for nano, whose 722 layers take that loader seconds, as `fuse_lora` would."""
        if self.model.name == "nano":
            with lora.fused(self.pipeline):
                yield
            return
        self.pipeline.load_lora_weights(lora.for_diffusers())
        yield
        self.pipeline.unload_lora_weights()


@pytest.fixture(scope="module", params=PIPELINES)
def bench(
    request: pytest.FixtureRequest,
    model_folder: Callable[[str], Path],
    tmp_path_factory: pytest.TempPathFactory,
) -> Bench:
    name: str = request.param
    model = model_folder(name)
    pipeline = load_pipeline(name, model)
    folder = tmp_path_factory.mktemp(f"{name}-loras")
    loras = {
        key: random_lora(pipeline, key, rank=rank, wanted=wanted, seed=seed)
        for seed, (key, (rank, wanted)) in enumerate(KINDS.items())
    }
    for lora in loras.values():
        lora.save(folder, family="sd15" if name == "sd15" else "sdxl")
    return Bench(pipeline=pipeline, config=dict(pipeline.scheduler.config), model=model, loras=loras, folder=folder)


def requests(model: str) -> list[ImageRequest]:
    """Ways to use LoRAs, each with another scheduler; every third without guidance."""
    return [
        a_request(
            model=model,
            seed=seed,
            steps=2,
            scheduler=list(Scheduler)[seed % len(Scheduler)],
            negative_prompt="blue",
            guidance_scale=1.0 if seed % 3 == 2 else 5.0,
            loras=tuple(LoraUse(key=key, name=key, scale=scale) for key, scale in uses),
            **TOGETHER,
        )
        # Nano is slow, and the ways are the same ones: two that use every kind of layer are enough there.
        for seed, uses in enumerate(USES[3::3] if model == "nano" else USES)
    ]


def final_latents(engine: Engine, wanted: list[ImageRequest]) -> list[torch.Tensor]:
    """Of all of them, in one batch."""
    for number, request in enumerate(wanted):
        engine.admit(str(number), request)
    jobs = {}
    while not engine.idle:
        jobs.update(engine._jobs)
        for event in engine.step():
            assert not isinstance(event, Refused | Faulted), event
    assert {job.group.bucket for job in jobs.values()} == {16}
    return [jobs[str(number)].started.latents for number in range(len(wanted))]


def test_latents_with_loras_equal_those_of_diffusers_and_no_neighbour_changes_a_bit(bench: Bench) -> None:
    """None to four LoRAs a row, linear and convolutional, of the text too, ranks 4 to 128, all in one mixed batch."""
    engine = bench.engine()
    wanted = requests(bench.model.name)
    expected = [bench.latents(request) for request in wanted]

    ours = final_latents(engine, wanted)

    for request, latents, theirs in zip(wanted, ours, expected, strict=True):
        error = float((latents - theirs).norm() / theirs.norm())
        limit = 1e-3 if request.scheduler is Scheduler.DDIM else 1e-5
        assert error < limit, f"{request.scheduler}, {request.loras}: {error:.1e}"
    plain = bench.latents(replace(wanted[1], loras=()))
    assert float((expected[1] - plain).norm() / plain.norm()) > 0.01
    for index in {0, 1, len(wanted) - 1}:
        assert torch.equal(final_latents(engine, [wanted[index]])[0], ours[index])
