"""The ControlNets and T2I-Adapters of one model: found by the kind that they read, loaded while images go on, and the
least recently used released.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final

from diffusers.models.adapter import T2IAdapter
from diffusers.models.controlnets.controlnet import ControlNetModel
from diffusers.models.controlnets.controlnet_union import ControlNetUnionModel

from pipeline.control.control_map import is_empty, map_of
from pipeline.control.residuals import Control, hint_of
from pipeline.control.t2i_adapter import adapter_fits, features_of, is_adapter
from pipeline.control.union import is_union, union_kinds
from pipeline.errors import InvalidRequest
from pipeline.memory import memory_in_words
from pipeline.models.checkpoint import Checkpoint, load_module
from pipeline.models.model_files import read_json
from pipeline.requests.control import ControlKind, ControlUse
from pipeline.requests.image_request import ImageRequest
from pipeline.transfer import to_device

_SHARED: Final = ("cross_attention_dim", "addition_embed_type", "in_channels")
"""What a ControlNet has from its base."""


class ControlLibrary:
    """What requests for a model may name as controls.

    A folder of controls holds one folder for each net as diffusers saves it, called after the kind that it reads, or
    after several (`edge+scribble`); a ControlNet-Union's configuration says its kinds. T2I-Adapters lie there in the
    same way.

    Args:
        checkpoint: the model.
        root: the installation's controls: a folder for each base (`sdxl`, `sd15`), and in it a folder of controls.
        own: the model's own folder of controls; where both have a net that fits, the one in `root` is taken.
        budget: bytes of the nets kept in memory. A request holds its nets by itself, so one that is released here
            works on.
    """

    def __init__(self, checkpoint: Checkpoint, root: Path | None, own: Path | None, budget: int) -> None:
        self._checkpoint = checkpoint
        self._roots = [folder for folder in (root and root / checkpoint.facts.family.value, own) if folder]
        self._budget = budget
        self._nets: OrderedDict[Path, Future[Any]] = OrderedDict()
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="controls")

    def acquire(self, request: ImageRequest, images: Mapping[str, bytes], timeout: float) -> tuple[Control, ...] | None:
        """The controls of a request, with their maps drawn and their nets on the model's device.

        Args:
            request: names the controls.
            images: the bytes of the images that its controls name, by key.
            timeout: seconds to wait for each net.

        Returns:
            The controls in the request's order; None where a net is still loading: call again later.

        Raises:
            UserError: names the control that does not exist, is damaged, or was made for another base.
        """
        folders = [self._find(use.kind) for use in request.controls]
        for folder in folders:
            self._want(folder)
        nets = [self._take(folder, timeout) for folder in folders]
        if any(net is None for net in nets):
            return None
        self._release(folders)
        size = (request.width, request.height)
        made = []
        for use, net in zip(request.controls, nets, strict=True):
            with _in_words(use.kind):
                made.append(self._control(use, net, images[use.image], size))
        return tuple(made)

    def _control(self, use: ControlUse, net: Any, data: bytes, size: tuple[int, int]) -> Control:
        drawing, hardware = map_of(use, data, size), self._checkpoint.hardware
        hint = to_device(hint_of(drawing), hardware.device, hardware.dtype)
        features = features_of(net, hint) if is_adapter(net.config) else ()
        return Control(use=use, net=net, hint=hint, features=features, empty=is_empty(use, drawing, data))

    def close(self) -> None:
        """Load nothing more."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _want(self, folder: Path) -> None:
        if folder not in self._nets:
            self._nets[folder] = self._loader.submit(self._load, folder)
        self._nets.move_to_end(folder)

    def _take(self, folder: Path, timeout: float) -> Any:
        try:
            return self._nets[folder].result(timeout)
        except TimeoutError:
            return None
        except Exception:
            del self._nets[folder]
            raise

    def _release(self, kept: Sequence[Path]) -> None:
        """Let go of the least recently used that are loaded, but `kept`, until the rest is within the budget."""
        sizes = {
            folder: _bytes(net.result()) for folder, net in self._nets.items() if net.done() and net.exception() is None
        }
        for folder in [folder for folder in sizes if folder not in kept]:
            if sum(sizes.values()) > self._budget:
                del self._nets[folder], sizes[folder]

    def _find(self, kind: ControlKind) -> Path:
        places = self._places()
        if kind not in places:
            there = ", ".join(sorted(places)) or "none yet"
            name = self._checkpoint.facts.name
            raise InvalidRequest(
                "control", f"There is no control '{kind}' for {name} here; there is: {there}. An admin can add one."
            )
        return places[kind]

    def _places(self) -> dict[str, Path]:
        """The net's folder for each kind, by preference: it fits the model, is an admin's, reads many kinds."""
        found: dict[str, Path] = {}
        for folder in sorted(self._folders(), key=lambda folder: not self._fits(_config(folder))):
            for kind in _kinds(folder):
                found.setdefault(kind, folder)
        return found

    def _folders(self) -> Iterator[Path]:
        for root in self._roots:
            folders = sorted(config.parent for config in root.glob("*/config.json"))
            yield from sorted(folders, key=lambda folder: -len(_kinds(folder)))

    def _load(self, folder: Path) -> Any:
        """The net on the model's device; raises UserError where it was made for another base."""
        config = _config(folder)
        if not self._fits(config):
            raise InvalidRequest(
                "control",
                f"The control '{folder.name}' here was made for another base than {self._checkpoint.facts.name}; "
                "an admin can replace it.",
            )
        hardware = self._checkpoint.hardware
        with _in_words(folder.name):
            return load_module(_class_of(config), folder, hardware.device, hardware.dtype)

    def _fits(self, config: Mapping[str, Any]) -> bool:
        unet = self._checkpoint.unet.config
        if is_adapter(config):
            return adapter_fits(config, self._checkpoint.facts.family, unet.block_out_channels)
        return all(config.get(field) == unet.get(field) for field in _SHARED)


def _in_words(kind: str) -> AbstractContextManager[None]:
    return memory_in_words(f"the control '{kind}'", "ask for a smaller picture or fewer controls, or try again later")


def _class_of(config: Mapping[str, Any]) -> Any:
    if is_adapter(config):
        return T2IAdapter
    return ControlNetUnionModel if is_union(config) else ControlNetModel


def _config(folder: Path) -> Mapping[str, Any]:
    return read_json(folder / "config.json")


def _kinds(folder: Path) -> Sequence[str]:
    """What the net in this folder reads."""
    config = _config(folder)
    return union_kinds(config) if is_union(config) else folder.name.split("+")


def _bytes(net: Any) -> int:
    return sum(weight.nbytes for weight in net.parameters())
