"""The ControlNets of one model: found by what they keep, loaded beside the steps, the least recently used put away."""

from collections import OrderedDict
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from diffusers.models.controlnets.controlnet import ControlNetModel

from pipeline.checkpoints import Checkpoint, load_module
from pipeline.control_residuals import Control, hint_of
from pipeline.errors import InvalidRequest
from pipeline.image_request import ImageRequest
from pipeline.model_facts import read_json


class ControlLibrary:
    """What requests for `checkpoint` may name as controls: folders of `root`, or of the model's own `controls`.

    `root` has a folder for each base (`sdxl`, `sd15`) and in it one for each kind, as diffusers saves a ControlNet.
    `budget` bounds the bytes of those kept in memory; one at work outlives its place here.
    """

    def __init__(self, checkpoint: Checkpoint, root: Path | None, own: Path | None, budget: int) -> None:
        self._checkpoint = checkpoint
        self._folders = [folder for folder in (own, root and root / checkpoint.facts.family.value) if folder]
        self._budget = budget
        self._nets: OrderedDict[str, Future[Any]] = OrderedDict()
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="controls")

    @property
    def kinds(self) -> tuple[str, ...]:
        """What can be kept."""
        return tuple(sorted({place.parent.name for folder in self._folders for place in folder.glob("*/config.json")}))

    def acquire(
        self, request: ImageRequest, pictures: Mapping[str, bytes], timeout: float
    ) -> tuple[Control, ...] | None:
        """The controls of `request`; None while one is on its way after `timeout` seconds.

        Raises UserError naming the control that cannot be had.
        """
        for use in request.controls:
            self._want(use.kind)
        nets = [self._take(use.kind, timeout) for use in request.controls]
        if any(net is None for net in nets):
            return None
        size = (request.width, request.height)
        return tuple(
            Control(use=use, net=net, hint=hint_of(pictures[use.picture], size))
            for use, net in zip(request.controls, nets, strict=True)
        )

    def close(self) -> None:
        """Load nothing more."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _want(self, kind: str) -> None:
        if kind not in self._nets:
            self._nets[kind] = self._loader.submit(self._load, self._find(kind))
        self._nets.move_to_end(kind)

    def _take(self, kind: str, timeout: float) -> Any:
        try:
            net = self._nets[kind].result(timeout)
        except TimeoutError:
            return None
        except Exception:
            del self._nets[kind]
            raise
        self._put_away(kind)
        return net

    def _put_away(self, kept: str) -> None:
        """Let go of the least recently used until the rest is within the budget."""
        for kind in list(self._nets):
            here = [net.result() for net in self._nets.values() if net.done() and net.exception() is None]
            if kind != kept and sum(map(_bytes, here)) > self._budget:
                del self._nets[kind]

    def _find(self, kind: str) -> Path:
        for folder in self._folders:
            if (folder / kind / "config.json").is_file():
                return folder / kind
        there = ", ".join(self.kinds) or "none yet"
        name = self._checkpoint.facts.name
        raise InvalidRequest(
            "control", f"There is no control '{kind}' for {name} here; there is: {there}. An admin can add one."
        )

    def _load(self, folder: Path) -> Any:
        """The net on the model's device; raises UserError where it was made for another base."""
        hardware, unet = self._checkpoint.hardware, self._checkpoint.unet
        config = read_json(folder / "config.json")
        for field in ("cross_attention_dim", "addition_embed_type", "in_channels"):
            if config.get(field) != unet.config.get(field):
                raise InvalidRequest(
                    "control",
                    f"The control '{folder.name}' here was made for another base than {self._checkpoint.facts.name}; "
                    "an admin can replace it.",
                )
        return load_module(ControlNetModel, folder, hardware.device, hardware.dtype)


def _bytes(net: Any) -> int:
    return sum(weight.nbytes for weight in net.parameters())
