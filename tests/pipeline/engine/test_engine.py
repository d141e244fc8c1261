"""The engine's one verb: which requests join and leave, their events, and what survives a failure."""

import io
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageChops, ImageStat
from torch import Tensor

from pipeline.engine.batch_state import RowMemory
from pipeline.engine.denoiser import Denoiser
from pipeline.engine.denoising_state import DenoisingState
from pipeline.engine.engine import Engine
from pipeline.engine.finished_image import FinishedImage
from pipeline.engine.previews import Preview
from pipeline.images.metadata import read
from pipeline.models.hardware import DeviceBroken, DeviceExhausted
from pipeline.requests.device_messages import Dropped, Event, Faulted, Ready, Refused, Rendered, Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, Scheduler
from tests.pipeline.conftest import a_request


@pytest.fixture
def engine(model_folder: Callable[[str], Path]) -> Engine:
    models = ("pocket", str(model_folder("sd15")))
    made = Engine(DeviceSpec(models=models, device="cpu", threads=1, preview_every=2))
    assert isinstance(made.step()[0], Ready)
    return made


def run(engine: Engine) -> Iterator[Event]:
    while not engine.idle:
        yield from engine.step()


def images(engine: Engine) -> dict[str, bytes]:
    return {event.ticket: event.png for event in run(engine) if isinstance(event, Rendered)}


def test_a_request_steps_previews_and_ends_in_an_image(engine: Engine) -> None:
    """Each step is said once, a preview comes every few, and the device's seconds are stated."""
    engine.admit("a", a_request(steps=5))

    events = list(run(engine))

    steps = [event for event in events if isinstance(event, Stepped)]
    assert [(event.step, event.steps) for event in steps] == [(number, 5) for number in range(1, 6)]
    assert [event.step for event in steps if event.preview] == [2, 4]
    preview = Image.open(io.BytesIO(steps[1].preview or b""))
    assert (preview.format, preview.size) == ("JPEG", (128, 128))
    assert isinstance(events[-1], Rendered)
    assert Image.open(io.BytesIO(events[-1].png)).size == (64, 64)
    assert events[-1].device_seconds > 0


def test_like_repeats_an_image_bit_for_bit(engine: Engine) -> None:
    """Even one that ran among others and is now alone."""
    for number, scheduler in enumerate(Scheduler):
        engine.admit(str(number), a_request(seed=number, scheduler=scheduler, steps=3))
    first = images(engine)

    for ticket, png in first.items():
        engine.admit(ticket, read(png).request())
        again = images(engine)
        assert Image.open(io.BytesIO(again[ticket])).tobytes() == Image.open(io.BytesIO(png)).tobytes()
        assert read(again[ticket]).bucket == read(png).bucket == 16


def test_a_latecomer_joins_at_the_next_step_and_a_short_one_leaves_first(engine: Engine) -> None:
    """No request waits for another's last step."""
    engine.admit("long", a_request(steps=8))
    engine.step()
    engine.admit("short", a_request(steps=2))

    ended = [event.ticket for event in run(engine) if isinstance(event, Rendered)]

    assert ended == ["short", "long"]


def test_a_cancelled_request_is_dropped_at_the_next_step(engine: Engine) -> None:
    """While it waits, in its slot, before its decoding; a second cancel says nothing."""
    engine.admit("a", a_request(steps=2))
    engine.cancel("a")
    assert engine.step() == [Dropped(ticket="a")]

    engine.admit("a", a_request(steps=8))
    engine.step()
    engine.cancel("a")
    engine.cancel("a")

    assert engine.step() == [Dropped(ticket="a")]
    assert engine.idle


def test_two_sizes_and_two_models_take_turns(engine: Engine) -> None:
    """A request names its model; there is no global switch."""
    engine.admit("small", a_request(steps=3))
    engine.admit("wide", a_request(steps=3, width=96))
    engine.admit("other", a_request(steps=3, model="sd15"))

    made = images(engine)

    assert {ticket: Image.open(io.BytesIO(png)).size for ticket, png in made.items()} == {
        "small": (64, 64),
        "wide": (96, 64),
        "other": (64, 64),
    }
    assert read(made["other"]).model_name == "sd15"


@pytest.mark.parametrize(
    ("request_", "sentence"),
    [
        (a_request(width=512, height=512), "512×512 is too large for pocket; use up to 65,536 pixels"),
        (a_request(model="flux"), "Model 'flux' is not served here; choose one of: pocket, sd15."),
        (a_request(scheduler=Scheduler.LCM, steps=60), "lcm cannot take 60 steps; use fewer"),
    ],
)
def test_what_can_never_succeed_is_refused_in_one_sentence(
    engine: Engine, request_: ImageRequest, sentence: str
) -> None:
    """And costs the others nothing."""
    engine.admit("good", a_request(steps=2))
    engine.admit("bad", request_)

    events = list(run(engine))

    refused = [event for event in events if isinstance(event, Refused)]
    assert [event.ticket for event in refused] == ["bad"]
    assert sentence in refused[0].sentence
    assert isinstance(events[-1], Rendered)


def test_an_error_of_ours_ends_its_batch_and_not_the_engine(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The tickets come back as Faulted, with the reason for the log."""

    def broken(*_: object) -> None:
        raise ValueError("a bug")

    engine.admit("a", a_request())
    with monkeypatch.context() as patch:
        patch.setattr(Denoiser, "advance", broken)
        assert list(run(engine)) == [Faulted(ticket="a", why="ValueError: a bug")]

    engine.admit("b", a_request(steps=2))

    assert list(images(engine)) == ["b"]


def test_an_image_that_is_being_written_can_still_be_cancelled(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its file is thrown away; the steps of others go on meanwhile."""
    gate, begun = threading.Event(), threading.Event()
    png = FinishedImage.png

    def slow(image: FinishedImage) -> bytes:
        begun.set()
        gate.wait()
        return png(image)

    monkeypatch.setattr(FinishedImage, "png", slow)
    engine.admit("a", a_request(steps=1))
    engine.admit("b", a_request(steps=4))
    engine.step()
    begun.wait()
    while not any(isinstance(event, Stepped) and event.step == 3 for event in engine.step()):
        pass
    engine.cancel("a")
    gate.set()
    rest = list(run(engine))

    assert [event for event in rest if event.ticket == "a"] == [Dropped(ticket="a")]  # type: ignore[union-attr]
    assert isinstance(rest[-1], Rendered)


def test_an_image_that_cannot_be_written_is_one_fault(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A preview's failure ends its request, whose slot is free again."""

    def broken(*_: object) -> bytes:
        raise OSError("no room")

    for writer in (FinishedImage, Preview):
        with monkeypatch.context() as patch:
            patch.setattr(writer, "png" if writer is FinishedImage else "jpeg", broken)
            engine.admit("a", a_request(steps=3))
            events = list(run(engine))

        assert events[-1] == Faulted(ticket="a", why="OSError: no room")
        assert engine.idle
        assert not engine._scheduler.keys


def fragile(monkeypatch: pytest.MonkeyPatch, *bad: int) -> list[list[int]]:
    """Calls fail that hold a request of a bad seed; returns the seeds of each call."""
    advance, calls = Denoiser.advance, []

    def advance_unless_bad(denoiser: Denoiser, memory: RowMemory, renderings: Sequence[DenoisingState]) -> None:
        calls.append([rendering.request.seed for rendering in renderings])
        if set(calls[-1]) & set(bad):
            raise ValueError("a bug")
        advance(denoiser, memory, renderings)

    monkeypatch.setattr(Denoiser, "advance", advance_unless_bad)
    return calls


def test_a_call_that_fails_is_repeated_by_halves_to_find_whose_fault_it_is(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only that request ends, and the others have made the step that they would have made."""
    calls = fragile(monkeypatch, 3)
    for number in range(1, 5):
        engine.admit(str(number), a_request(seed=number, steps=2))

    events = list(run(engine))

    assert [event.ticket for event in events if isinstance(event, Faulted)] == ["3"]
    assert sorted(event.ticket for event in events if isinstance(event, Rendered)) == ["1", "2", "4"]
    assert [(event.ticket, event.step) for event in events if isinstance(event, Stepped)] == [
        ("1", 1), ("2", 1), ("4", 1), ("1", 2), ("2", 2), ("4", 2),
    ]  # fmt: skip
    assert calls[:5] == [[1, 2, 3, 4], [1, 2], [3, 4], [3], [4]]


def test_requests_that_all_fail_are_their_own_fault_on_a_device_that_is_sound(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It still makes a plain image, so it goes on."""
    fragile(monkeypatch, 3, 4)
    for seed in (3, 4):
        engine.admit(str(seed), a_request(seed=seed))
    assert {type(event) for event in run(engine)} == {Faulted}
    engine.admit("good", a_request(seed=1, steps=2))

    assert list(images(engine)) == ["good"]


@pytest.mark.parametrize("count", [1, 2])
def test_a_device_that_makes_no_plain_image_any_more_is_given_up(
    count: int, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before a request that comes later fails of it; of several that fail together none is blamed."""
    fragile(monkeypatch, 0, 3, 4)
    events: list[Event] = []
    for seed in (3, 4)[:count]:
        engine.admit(str(seed), a_request(seed=seed))
    if count == 1:
        while not any(isinstance(event, Faulted) for event in events):
            events += engine.step()
        engine.admit("late", a_request(seed=1))

    with pytest.raises(DeviceBroken, match="not even a plain image"):
        engine.step()

    assert [event.ticket for event in events if isinstance(event, Faulted)] == (["3"] if count == 1 else [])


@pytest.mark.parametrize("steps", [2, 5])
def test_numbers_without_end_are_no_image(engine: Engine, monkeypatch: pytest.MonkeyPatch, steps: int) -> None:
    """The member reads what to lower, instead of getting a black square, at the first preview or at the end."""
    move = DenoisingState.move

    def endless(rendering: DenoisingState, latents: Tensor | Exception) -> None:
        assert isinstance(latents, Tensor)
        move(rendering, latents * float("inf") if rendering.request.seed == 3 else latents)

    monkeypatch.setattr(DenoisingState, "move", endless)
    engine.admit("bad", a_request(seed=3, steps=steps))
    engine.admit("good", a_request(seed=4, steps=steps))

    events = list(run(engine))

    assert not [event for event in events if isinstance(event, Stepped) and event.ticket == "bad" and event.preview]
    assert [event.sentence for event in events if isinstance(event, Refused)] == [
        "The numbers of this picture grew beyond all limits while it was made; "
        "the likely cause is damaged weights; choose another model, or lower the guidance."
    ]
    assert [event.ticket for event in events if isinstance(event, Rendered)] == ["good"]


class SmallMemory:
    """A denoiser that has no room for more than `rows` rows, or `latents` latents in an image."""

    def __init__(self, rows: int = 64, latents: int = 1_000_000) -> None:
        self.rows = rows
        self.latents = latents
        self.calls: list[int] = []
        self._advance = Denoiser.advance

    def install(self, patch: pytest.MonkeyPatch) -> None:
        def advance(denoiser: Denoiser, memory: RowMemory, renderings: Sequence[DenoisingState]) -> None:
            self.calls.append(memory.bucket)
            if memory.bucket > self.rows or renderings[0].latents[0, 0].numel() > self.latents:
                raise torch.OutOfMemoryError("CUDA out of memory")
            self._advance(denoiser, memory, renderings)

        patch.setattr(Denoiser, "advance", advance)


def test_out_of_memory_is_learned_and_loses_no_request(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the rows, and half again; then never too many again."""
    memory = SmallMemory(rows=4)
    memory.install(monkeypatch)
    for number in range(8):
        engine.admit(str(number), a_request(seed=number, steps=2))

    assert set(images(engine)) == set("01234567")
    assert memory.calls[:3] == [16, 8, 4]
    assert max(memory.calls[2:]) == 4


def test_what_can_never_fit_is_refused_with_the_largest_size_that_does(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by trial on the device; the engine goes on for smaller ones."""
    SmallMemory(latents=16 * 12).install(monkeypatch)
    engine.admit("large", a_request(width=256, height=192))
    engine.admit("small", a_request(steps=2))

    events = list(run(engine))

    assert [event.sentence for event in events if isinstance(event, Refused)] == [
        "256×192 does not fit in this device's memory; ask for 128×64 or smaller."
    ]
    assert [event.ticket for event in events if isinstance(event, Rendered)] == ["small"]


def test_a_device_on_which_nothing_fits_any_more_is_given_up(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process ends and another is started, which has its memory back."""
    SmallMemory(latents=1).install(monkeypatch)
    engine.admit("a", a_request(width=128))

    with pytest.raises(DeviceExhausted, match="128×64"):
        list(run(engine))


def test_a_slot_that_memory_has_no_room_for_is_one_in_a_smaller_group(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a group keeps for its rows can be the part that does not fit."""
    put = RowMemory.put

    def tight(memory: RowMemory, *of_a_request: Any) -> None:
        if memory.bucket > 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        put(memory, *of_a_request)

    monkeypatch.setattr(RowMemory, "put", tight)
    for number in range(8):
        engine.admit(str(number), a_request(seed=number, steps=2))

    assert set(images(engine)) == set("01234567")


def test_an_image_too_large_to_decode_in_one_piece_is_decoded_in_tiles(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nearly the same image, and the VAE is as before afterwards."""
    engine.admit("a", a_request(steps=2, width=256, height=256))
    whole = Image.open(io.BytesIO(images(engine)["a"]))
    in_one_piece = AutoencoderKL.decode

    def tight(vae: AutoencoderKL, *latents: Any, **options: Any) -> Any:
        if not vae.use_tiling:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return in_one_piece(vae, *latents, **options)

    with monkeypatch.context() as patch:
        patch.setattr(AutoencoderKL, "decode", tight)
        engine.admit("a", a_request(steps=2, width=256, height=256))
        tiled = Image.open(io.BytesIO(images(engine)["a"]))

    assert tiled.size == whole.size
    assert ImageStat.Stat(ImageChops.difference(tiled, whole)).mean[0] < 3
    assert not engine._cache.loaded["pocket"]._checkpoint.vae.use_tiling


def test_rows_without_guidance_cost_one(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """Four of them fill the bucket that two with guidance fill."""
    memory = SmallMemory(rows=64)
    memory.install(monkeypatch)
    for number in range(4):
        engine.admit(str(number), a_request(guidance_scale=1, steps=1))

    images(engine)

    assert memory.calls == [4]
