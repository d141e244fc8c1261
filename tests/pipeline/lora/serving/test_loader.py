"""Four communities' LoRAs of every kind come, go and fail in any order, on two bases: every image is one from a process
that saw none of it.

`LIMNER_LORA_OPERATIONS=10000` makes it that many operations.
"""

import io
import logging
import multiprocessing
import os
import random
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from torch import nn

from pipeline.engine.engine import Engine
from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.images.metadata import read
from pipeline.lora.exporting.merge import merge
from pipeline.lora.exporting.merge_process import MergeInput
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.format.writer import CanonicalWriter
from pipeline.requests.device_messages import Dropped, Event, Refused, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse
from pipeline.requests.step_window import StepWindow
from pipeline.text.prompt_encoder import _REMEMBERED_TEXTS
from tests.journeys.test_engine_life import await_threads, held_bytes, run
from tests.pipeline.conftest import a_request
from tests.pipeline.lora.serving.random_parts import KINDS
from tests.pipeline.random_loras import random_lora

OPERATIONS: Final = int(os.environ.get("LIMNER_LORA_OPERATIONS", "150"))
CHECKED_EVERY: Final = 100
MOST_TOGETHER: Final = 3
GUILDS: Final = ("north", "east", "south", "west")
PROMPTS: Final = ("fox", "owl")
MODELS: Final = ("speck", "sibling")
# What makes a file: its rank, and which layers it changes.
FILES: Final[tuple[tuple[int, Callable[[str], bool]], ...]] = (
    (4, lambda name: name.startswith("unet.") and name.endswith(("to_q", "to_v"))),
    (20, lambda name: name.startswith("unet.")),
    (8, lambda name: ".conv" in name),
    (5, lambda name: name.startswith("text")),
    (33, lambda name: name.startswith("text_encoder_2") or "ff.net" in name),
)
BLOCKS: Final = (None, None, "INALL", "OUTALL", "NONE", "in=0.5", "1,1,0,.5,-1,1,0,1,0,1,1,1", "0,.5,1,-1" + ",1" * 16)
WINDOWS: Final = (None, None, StepWindow(start=2), StepWindow(stop=2), StepWindow(start=2, stop=3))
BROKEN: Final = ("missing", "pickle", "cut", "stranger", "../outside")


class Communities:
    """One engine, its library, and what is expected of it."""

    def __init__(self, folder: Path, models: Sequence[Path], draw: random.Random) -> None:
        self.folder, self.draw = folder, draw
        self.engine = ready_engine(models, folder / "library")
        self.owned: dict[str, list[str]] = {guild: [] for guild in GUILDS}
        self.open: dict[str, ImageRequest] = {}
        self.images: list[bytes] = []
        self.done: Counter[str] = Counter()
        self.count = 0

    def operate(self) -> None:
        """Do one thing at random, for a community at random."""
        verbs = {self.add: 4, self.remove: 3, self.use: 5, self.combine: 2, self.fail: 2, self.cancel: 1, self.step: 5}
        verb = self.draw.choices(list(verbs), list(verbs.values()))[0]
        verb(self.draw.choice(GUILDS))
        self.done[verb.__name__] += 1

    def add(self, guild: str) -> None:
        self._keep(guild, "one", self.folder / "files" / f"{self.draw.randrange(len(FILES) + len(KINDS))}.safetensors")

    def remove(self, guild: str) -> None:
        if mine := self.owned[guild]:
            (self.folder / "library" / f"{mine.pop(self.draw.randrange(len(mine)))}.safetensors").unlink()

    def use(self, guild: str) -> None:
        mine = self.owned[guild]
        chosen = self.draw.sample(mine, min(len(mine), self.draw.choice([0, 1, 1, 2, MOST_TOGETHER])))
        self._admit([self._use(key) for key in chosen])

    def fail(self, guild: str) -> None:
        chosen = [self._use(key) for key in self.owned[guild][:1]]
        self._admit([*chosen, self._use(self.draw.choice(BROKEN))])

    def combine(self, guild: str) -> None:
        members = [
            MergeInput(
                path=self.folder / "library" / f"{key}.safetensors",
                scale=self.draw.uniform(-1, 1),
                text_encoder_scale=self.draw.uniform(-1, 1),
            )
            for key in [key for key in self.owned[guild] if "set" not in key][-2:]
        ]
        made = self.folder / "set.safetensors"
        try:
            merge(members, made)
        except (UserError, IndexError):
            return
        self._keep(guild, "set", made)
        made.unlink()

    def cancel(self, _guild: str) -> None:
        if self.open:
            self.engine.cancel(self.draw.choice(sorted(self.open)))

    def step(self, _guild: str) -> None:
        self._take(self.engine.step())

    def settle(self) -> None:
        """Finish what was begun."""
        for event in run(self.engine):
            self._take([event])
        assert not self.open
        await_threads(self.engine)

    def _keep(self, guild: str, kind: str, file: Path) -> None:
        self.count += 1
        key = f"{guild}-{kind}-{self.count}"
        for place in ("library", "everything"):
            os.link(file, self.folder / place / f"{key}.safetensors")
        self.owned[guild].append(key)

    def _use(self, key: str) -> LoraUse:
        text = self.draw.choice([None, self.draw.uniform(-1, 1)])
        return LoraUse(
            key=key, name=key, scale=self.draw.uniform(-1.5, 1.5), text_encoder_scale=text,
            blocks=self.draw.choice(BLOCKS), window=self.draw.choice(WINDOWS),
        )  # fmt: skip

    def _admit(self, loras: list[LoraUse]) -> None:
        self.count += 1
        self.open[str(self.count)] = request = a_request(
            model=self.draw.choice(MODELS),
            prompt=self.draw.choice(PROMPTS),
            steps=self.draw.choice([1, 1, 2, 3]),
            guidance_scale=self.draw.choice([0.0, 5.0]),
            seed=self.draw.randrange(100),
            loras=tuple(loras),
        )
        self.engine.admit(str(self.count), request)

    def _take(self, events: list[Event]) -> None:
        for event in events:
            match event:
                case Stepped():
                    continue
                case Rendered():
                    assert not self._broken(event.ticket)
                    self.images.append(event.png)
                case Refused():
                    assert self._broken(event.ticket) or self._gone(event.ticket), event
                case Dropped():
                    pass
                case _:
                    raise AssertionError(event)
            del self.open[event.ticket]

    def _broken(self, ticket: str) -> bool:
        return any(lora.key in BROKEN for lora in self.open[ticket].loras)

    def _gone(self, ticket: str) -> bool:
        kept = {key for mine in self.owned.values() for key in mine}
        return any(lora.key not in kept for lora in self.open[ticket].loras)


def ready_engine(models: Sequence[Path], loras: Path) -> Engine:
    """With all models in memory, and nothing else begun."""
    engine = Engine(spec(models, loras))
    engine.step()
    for name in MODELS:
        assert engine._cache.want(name, busy=())
        assert engine._cache.take(name, timeout=None) is not None
    return engine


def spec(models: Sequence[Path], loras: Path) -> DeviceSpec:
    """Room for a few of the LoRAs alone, so that they push each other out of the host's memory and of the device's."""
    return DeviceSpec(
        models=tuple(map(str, models)), device="cpu", loras=loras, threads=1, max_rows=8, preview_every=0,
        host_lora_bytes=24 * 2**20, device_lora_bytes=4 * 2**20,
    )  # fmt: skip


@contextmanager
def fresh_processes(models: Sequence[Path], loras: Path) -> Iterator[Callable[[bytes], bytes]]:
    """Makes an image's pixels again, each in a process of its own whose engine has never made another."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    parent = context.Process(target=_fork_for_each, args=(theirs, models, loras), daemon=True)
    parent.start()

    def again(png: bytes) -> bytes:
        ours.send(png)
        pixels: bytes = ours.recv()
        return pixels

    try:
        yield again
    finally:
        ours.send(None)
        parent.join()


def _fork_for_each(wanted: Connection, models: Sequence[Path], loras: Path) -> None:
    engine = ready_engine(models, loras)
    while (png := wanted.recv()) is not None:
        if not (child := os.fork()):
            engine.admit("alone", read(png).request())
            wanted.send(next(pixels(event.png) for event in run(engine) if isinstance(event, Rendered)))
            os._exit(0)
        os.waitpid(child, 0)


def pixels(png: bytes) -> bytes:
    return Image.open(io.BytesIO(png)).tobytes()


def held_but_for_loras(engine: Engine) -> int:
    """Bytes of all tensors, without what the bounded rooms for LoRAs and texts hold, whose bounds this checks."""
    return held_bytes() - sum(map(_bounded_room, engine._cache.loaded.values()))


def _bounded_room(model: LoadedModel) -> int:
    pool, cache, texts = model._adapters, model.loras._cache, model._encoder._remembered
    assert not any(adapter.pins for adapter in pool._adapters.values())
    assert cache.size <= cache._budget
    # Over its bound it holds one request's own alone.
    assert pool.size <= pool._budget or len(pool.resident) <= MOST_TOGETHER
    assert not any(slot.any() for slot in pool.scratch._slots.values())
    room = (
        pool.scratch.size
        + pool.merged.size
        + sum(adapter.arena.size for adapter in pool._adapters.values() if adapter.arena)
    )
    for where, pages in pool._pools.items():
        taken = {number for adapter in pool._adapters.values() for number in adapter.pages.get(where, ())}
        free = [number for number in range(len(pages.down)) if number not in taken]
        assert len(pages._free) + len(taken) + 1 == len(pages.down)
        assert not pages.down[free].any()
        assert not pages.up[free].any()
        room += pages.down.nbytes + pages.up.nbytes
    assert len(texts) <= _REMEMBERED_TEXTS
    remembered = sum(part.untyped_storage().nbytes() for embedding in texts.values() for part in embedding)
    return cache.size + room + remembered


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def make_files(folder: Path, model: Path) -> None:
    """The files that are added, and those that fail: bytes of something else, a cut one, one of another model."""
    for name in ("files", "library", "everything"):
        (folder / name).mkdir()
    pipeline = StableDiffusionXLPipeline.from_pretrained(model)
    for number, (rank, wanted) in enumerate(FILES):
        random_lora(pipeline, str(number), rank=rank, wanted=wanted, seed=number).save(folder / "files")
    random_lora(pipeline, "stranger", rank=2, wanted=FILES[0][1], seed=9).save(folder / "library", family="sdxl")
    original = (folder / "library" / "stranger.safetensors").read_bytes()
    for number, kind in enumerate(KINDS, len(FILES)):
        save_kind(pipeline, kind, folder / "files" / f"{number}.safetensors")
    (folder / "library" / "stranger.safetensors").write_bytes(original.replace(b"attn1.to_q", b"attn9.to_q"))
    (folder / "library" / "cut.safetensors").write_bytes(original[:-40])
    (folder / "library" / "pickle.safetensors").write_bytes(b"\x80\x02}q\x00.")


def save_kind(pipeline: StableDiffusionXLPipeline, kind: str, path: Path) -> None:
    """One of a kind for all layers that it fits."""
    writer = CanonicalWriter(ModelFamily.SDXL, ScaleRule.LYCORIS if "turn" in kind else ScaleRule.LINEAR)
    for network in ("unet", "text_encoder", "text_encoder_2"):
        for name, layer in getattr(pipeline, network).named_modules():
            if not isinstance(layer, nn.Linear | nn.Conv2d) or layer.weight.shape[0] % 32 or layer.weight.shape[1] % 8:
                continue
            part = KINDS[kind](layer.weight.shape)
            if part.magnitude is not None:
                # About as large as they are, or numbers grow out of range from layer to layer.
                norms = layer.weight.detach().double().square().mean().sqrt() * part.magnitude.norms
                part = replace(part, magnitude=replace(part.magnitude, norms=norms))
            writer.add(f"{network}.{name.removeprefix('text_model.')}", part)
    writer.save(path)


def sibling(model: Path, folder: Path) -> Path:
    """Another checkpoint of the same family."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(model)
    torch.manual_seed(1)
    for network in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2):
        for weight in network.parameters():
            weight.data += 0.2 * weight.std(correction=0) * torch.randn_like(weight)
    pipeline.save_pretrained(folder / "sibling")
    return folder / "sibling"


@pytest.mark.timeout(7200)
def test_every_image_is_a_fresh_process_s_and_memory_returns_to_where_it_was(
    tmp_path: Path, model_folder: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Adding, using at any scale, in some blocks and steps, combining, removing, cancelling and failing.

    With too little memory.
    """
    monkeypatch.setattr(logging.getLogger("pipeline.engine.engine"), "disabled", True)
    model = model_folder("speck")
    make_files(tmp_path, model)
    models = (model, sibling(model, tmp_path))
    world = Communities(tmp_path, models, random.Random(9))  # noqa: S311 - a test's choices are no secret
    for operation in (world.add, world.combine, world.use, world.fail):
        for guild in GUILDS:
            operation(guild)
    world.settle()
    held, resident, made = held_but_for_loras(world.engine), 0, 0

    with fresh_processes(models, tmp_path / "everything") as again:
        for number in range(1, OPERATIONS + 1):
            world.operate()
            if number % CHECKED_EVERY == 0 or number == OPERATIONS:
                world.settle()
                assert held_but_for_loras(world.engine) <= held
                resident = resident or resident_bytes()
                made += len(world.images)
                for image in world.images:
                    assert again(image) == pixels(image), read(image)
                world.images.clear()

    assert made > OPERATIONS / 10
    # The rooms of both models fill up.
    assert resident_bytes() - resident < 128 * 2**20
    sys.stdout.write(
        f"{made} pictures; {dict(world.done)}; {(resident_bytes() - resident) / 2**20:+.1f} MiB resident\n"
    )
