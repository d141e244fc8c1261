"""Requests by the thousand from one seed: good ones, and odd ones that fail, stop or misbehave in every way."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from PIL import Image

from pipeline.requests.control import ControlKind, ControlMode, ControlUse
from pipeline.requests.device_messages import Dropped, Event, Faulted, Refused, Rendered, Suspended
from pipeline.requests.freeu import FreeU
from pipeline.requests.image_request import ImageRequest, LoraUse, Scheduler, Variation
from pipeline.requests.spacing import Spacing
from pipeline.requests.start_image import StartImage
from pipeline.requests.step_window import StepWindow
from tests.pipeline.conftest import a_request
from tests.pipeline.scene import half_mask, png, scene

BUCKET: Final = 8
FAILING: Final = ("encode", "place", "slot", "forward", "step", "preview", "save", "decode", "metadata")
"""The pieces of work done for one request; a test lets each of them fail."""

IMAGES: Final[Mapping[str, bytes]] = {
    "scene": png(scene()), "mask": png(half_mask()), "words": b"no picture", "black": png(Image.new("L", (64, 64))),
}  # fmt: skip

_TEXTS: Final = (
    "red fox", "a (red:1.4) fox, [snow]", "fox!!!", "owl, " * 20, "oooo o oo " * 12, "! " * 70, "fox " * 76, "",
    "(snow:0) fox, (owl:0.4)", "ﷺ 漢字 " * 30, "o" * 300, "<|endoftext|>" * 3, "(((((", "red fox, glossy style, " * 14,
    "a [red|blue] fox [:in snow:0.5]", "[fox:" + "owl, " * 20 + ":1]", "[[red|(blue:1.3)]::2] [fox",
)  # fmt: skip
_FREEU: Final = FreeU(b1=1.2, b2=1.4, s1=0.9, s2=0.2)
_SIZES: Final = ((64, 64), (64, 64), (72, 64), (64, 96))
_ENDS_BY_HAND: Final = {"cancel": Dropped, "suspend": Suspended}


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A request, when it comes, what goes wrong with it (None: nothing), how it may end, and its snapshot."""

    request: ImageRequest
    at: int
    fault: str | None = None
    ends: tuple[type[Event], ...] = (Rendered,)
    snapshot: bytes | None = None


class Requests:
    """The requests of one seed for `models`; seeds of images tell them apart."""

    def __init__(self, seed: int, models: tuple[str, ...]) -> None:
        self._random = random.Random(seed)  # noqa: S311  the same every time is what is wanted
        self._models = models
        self._count = 0

    def batch(self) -> list[Arrival]:
        """Good and odd requests for one model, in the order in which they come."""
        one = self._random
        model, size = one.choice(self._models), one.choice(_SIZES)
        loras = self._loras(model)
        arrivals = []
        for _ in range(one.randint(4, 9)):
            request = self._good(model, size, loras)
            arrivals.append(self._odd(request) if one.random() < 0.45 else Arrival(request=request, at=self._when()))
        return sorted(arrivals, key=lambda arrival: arrival.at)

    def _when(self) -> int:
        return self._random.choice((0, 0, 0, 1, 2, 3))

    def _loras(self, model: str) -> tuple[LoraUse, ...]:
        names = self._random.sample(("a", "b", "c"), self._random.choice((0, 0, 0, 1, 2)))
        return tuple(
            LoraUse(key=f"{model}-{name}", name=name, scale=self._random.choice((-0.5, 0.5, 1.0))) for name in names
        )

    def _good(self, model: str, size: tuple[int, int], loras: tuple[LoraUse, ...]) -> ImageRequest:
        one = self._random
        self._count += 1
        changes: dict[str, Any] = {
            "model": model, "width": size[0], "height": size[1], "seed": self._count, "bucket": BUCKET,
            "prompt": one.choice(_TEXTS) or "fox", "negative_prompt": one.choice(("", "", *_TEXTS)),
            "steps": one.randint(2, 4), "scheduler": one.choice(list(Scheduler)),
            "spacing": one.choice(list(Spacing)),
            "guidance_scale": one.choice((0.0, 1.0, 5.0, 7.5)), "guidance_rescale": one.choice((0.0, 0.0, 0.7)),
            "guidance_window": one.choice((None, None, StepWindow(start=0.5), StepWindow(stop=2))),
            "pag_scale": one.choice((0.0, 0.0, 2.0)), "freeu": one.choice((None, None, _FREEU)),
            "clip_skip": one.choice((1, 1, 2, 3)),
            "loras": one.choice(((), loras)), "controls": self._controls(), "start": self._start(),
        }  # fmt: skip
        if one.random() < 0.2:
            changes["variations"] = (Variation(seed=one.randrange(99), strength=0.3),)
        return a_request(**changes)

    def _controls(self) -> tuple[ControlUse, ...]:
        one = self._random
        kinds = one.sample((ControlKind.EDGE, ControlKind.DEPTH), one.choice((0, 0, 0, 1, 2)))
        return tuple(
            ControlUse(
                kind=kind, image="scene", ready=kind is ControlKind.DEPTH or one.random() < 0.5,
                scale=one.choice((0.0, 0.6, 1.5)), end=one.choice((0.5, 1.0)), mode=one.choice(list(ControlMode)),
            )
            for kind in kinds
        )  # fmt: skip

    def _start(self) -> StartImage | None:
        one = self._random
        if one.random() < 0.6:
            return None
        mask = one.choice((None, "mask"))
        padding = one.choice((None, 8)) if mask else None
        return StartImage(image="scene", mask=mask, padding=padding, strength=one.choice((0.5, 0.8, 1.0)))

    def _odd(self, request: ImageRequest) -> Arrival:
        """The request with something wrong with it."""
        kind = self._random.choice((*_ODDITIES, *FAILING, *_ENDS_BY_HAND))
        arrival = Arrival(request=request, at=self._when(), fault=kind)
        if end := _ENDS_BY_HAND.get(kind):
            return replace(arrival, ends=(end, Rendered))
        if kind in FAILING:
            return replace(arrival, ends=(Faulted, Rendered) if kind in {"preview", "save"} else (Faulted,))
        changes, ends = _ODDITIES[kind]
        if kind == "damaged snapshot":
            return replace(
                arrival, ends=ends, snapshot=self._random.choice((b"", b"no snapshot", b"\x08" + b"\0" * 40))
            )
        if loras := changes.get("loras"):
            own = tuple(replace(use, key=f"{request.model}-{use.key}") for use in loras)
            changes = {**changes, "loras": own}
        return replace(arrival, request=replace(request, **changes), ends=ends)


def _control(**changes: Any) -> dict[str, Any]:
    return {"controls": (ControlUse(**{"kind": ControlKind.EDGE, "image": "scene", **changes}),)}


def _lora(key: str) -> dict[str, Any]:
    return {"loras": (LoraUse(key=key, name=key, scale=2.0),)}


def _over(**changes: Any) -> dict[str, Any]:
    return {"start": StartImage(**{"image": "scene", "strength": 1.0, **changes})}


_ODDITIES: Final[dict[str, tuple[dict[str, Any], tuple[type[Event], ...]]]] = {
    "long prompt": ({"prompt": "ab, " * 480, "loras": ()}, (Refused,)),
    "long negative prompt": ({"negative_prompt": "ab, " * 480, "guidance_scale": 5.0}, (Refused,)),
    "long beside a LoRA": ({"prompt": "o! " * 600, **_lora("a")}, (Refused,)),
    "long under a ready map": (
        {"negative_prompt": "! " * 900, "guidance_scale": 5.0, **_control(ready=True)}, (Refused,),
    ),
    "many marks": ({"prompt": "!" * 1999}, (Refused, Rendered)),
    "long for the second tokenizer": ({"prompt": "oo " * 220}, (Refused, Rendered)),
    "no weight": ({"prompt": "(fox:9)"}, (Refused,)),
    "no characters": ({"prompt": "\ud800 fox"}, (Refused, Faulted)),
    "controls": ({"prompt": "\0\x07\u200b fox"}, (Rendered,)),
    "missing LoRA": (_lora("missing"), (Refused,)),
    "path for a LoRA": (_lora("../a"), (Refused,)),
    "broken LoRA": (_lora("broken"), (Refused, Faulted)),
    "empty LoRA": (_lora("empty"), (Refused, Faulted)),
    "LoRA of another model": (_lora("foreign"), (Refused,)),
    "LoRA without numbers": (_lora("nan"), (Refused,)),
    "huge LoRA": (_lora("huge"), (Rendered, Refused)),
    "missing control": (_control(kind=ControlKind.QR), (Refused,)),
    "broken control": (_control(kind=ControlKind.NORMAL), (Refused, Faulted)),
    "control of no image": (_control(image="words"), (Refused,)),
    "control of nothing": (_control(image="nowhere"), (Refused, Faulted)),
    "control of a person who is not there": (_control(kind=ControlKind.POSE), (Refused,)),
    "start of no image": (_over(image="words"), (Refused,)),
    "start of nothing": (_over(image="nowhere"), (Refused, Faulted)),
    "black mask": (_over(mask="black"), (Refused,)),
    "mask of nothing": (_over(mask="nowhere"), (Refused, Faulted)),
    "unknown model": ({"model": "flux"}, (Refused,)),
    "large": ({"width": 4096, "height": 4096}, (Refused,)),
    "many steps": ({"scheduler": Scheduler.LCM, "spacing": Spacing.NORMAL, "steps": 60, "start": None}, (Refused,)),
    "other bucket": ({"bucket": 2}, (Rendered,)),
    "many pages": ({"lora_pages": 40}, (Rendered,)),
    "damaged snapshot": ({}, (Rendered,)),
}  # fmt: skip
