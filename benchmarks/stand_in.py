"""A device on which nothing is computed, in place of a GPU: what a GPU would make the host wait for can be counted.

Its tensors are torch's meta tensors. What would wait for a GPU is seen as it is called: a number or a tensor read back,
a copy from memory that is not pinned, a list of indices.
"""

import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Self
from unittest.mock import patch

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from pipeline.engine import loaded_model, previews
from pipeline.engine.engine import Engine
from pipeline.models import checkpoint
from pipeline.models.hardware import Hardware
from pipeline.requests.device_spec import DeviceSpec

_META = torch.device("meta")
_COPIES = ("aten._to_copy.default", "aten.copy_.default")
_READS = ("aten._local_scalar_dense.default", "aten.item.default", "aten.nonzero.default", "aten.equal.default")


class Waits:
    """Counts what would make the host wait for a GPU, by the function of ours that asks for it, inside its block."""

    def __init__(self) -> None:
        self.by_function: Counter[str] = Counter()
        self._modes = (_Lists(self), _Calls(self))

    @property
    def count(self) -> int:
        """All of them."""
        return sum(self.by_function.values())

    def __enter__(self) -> Self:
        for mode in self._modes:
            mode.__enter__()  # type: ignore[no-untyped-call]  # torch has no types for it
        return self

    def __exit__(self, *error: Any) -> None:
        for mode in reversed(self._modes):
            mode.__exit__(*error)  # type: ignore[no-untyped-call]  # as above

    def add(self) -> None:
        """Count one."""
        self.by_function[_asking_function()] += 1


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]  # as above
    """Sees torch's operators; what the device would have said is zero."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self._waits = waits

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with self:
            # A composite one arrives whole in inference mode.
            answer = func.decompose(*args, **kwargs)
        if answer is not NotImplemented:
            return answer
        name = str(func)
        inputs = [each for each in tree_leaves((args, kwargs)) if isinstance(each, Tensor)]
        on_device = [each for each in inputs if each.is_meta]
        if name in _READS and on_device:
            self._waits.add()
            return torch.zeros((0, on_device[0].ndim)) if "nonzero" in name else 0
        if name in _COPIES:
            return self._copy(func, args, kwargs)
        if ("index" in name or "masked" in name) and on_device and len(on_device) < len(inputs):
            self._waits.add()
            args = _on_device(args)
        return func(*args, **kwargs)

    def _copy(self, func: Any, args: Any, kwargs: Any) -> Any:
        makes = str(func) == _COPIES[0]
        source = args[0] if makes else args[1]
        target = kwargs.get("device") if makes else args[0].device
        if target is None or (torch.device(target).type == "meta") == source.is_meta:
            return func(*args, **kwargs)
        if not kwargs.get("non_blocking") and (makes or len(args) < 3 or not args[2]):
            self._waits.add()
        if not source.is_meta:
            return func(*args, **kwargs)
        return torch.zeros(source.shape, dtype=kwargs.get("dtype") or source.dtype) if makes else args[0].zero_()


class _Lists(TorchFunctionMode):
    """Sees Python's lists on their way to the device, which torch copies before a dispatch mode can see them."""

    def __init__(self, waits: Waits) -> None:
        super().__init__()
        self._waits = waits

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is torch.tensor and torch.device(kwargs.get("device") or "cpu").type == "meta":
            self._waits.add()
        if func in {Tensor.__getitem__, Tensor.__setitem__} and args[0].is_meta and _has_list(args[1]):
            self._waits.add()
        return func(*args, **kwargs)


def _has_list(index: Any) -> bool:
    return isinstance(index, list) or (isinstance(index, tuple) and any(isinstance(each, list) for each in index))


def _asking_function() -> str:
    """The innermost of our own functions that is running."""
    frame = sys._getframe(1)  # noqa: SLF001  the only way to see the stack without its cost
    while frame is not None:
        name = str(frame.f_globals.get("__name__", ""))
        if name.startswith("pipeline."):
            return f"{name}:{frame.f_code.co_name}"
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return "outside"


def _on_device(args: Any) -> Any:
    return torch.utils._pytree.tree_map_only(Tensor, lambda each: each.to(_META), args)  # noqa: SLF001  public by use


def stand_in_engine(spec: DeviceSpec) -> Engine:
    """An engine whose model lies on the stand-in; its steps run inside a `Waits`."""
    with _standing_in():
        return Engine(spec)


@contextmanager
def _standing_in() -> Iterator[None]:
    """A model that is loaded inside this block comes to the stand-in."""
    choose, load, fit = Hardware.choose, checkpoint.load_checkpoint, previews.Previews.fit.__func__  # type: ignore[attr-defined]

    def chosen(name: str) -> Hardware:
        return replace(choose(name), device=_META)

    def loaded(source: Any, hardware: Hardware) -> Any:
        made = load(source, replace(hardware, device=torch.device("cpu")))
        for module in (made.unet, made.vae, *(encoder.model for encoder in made.text_encoders)):
            module.to(_META)
        encoders = tuple(replace(encoder, device=_META) for encoder in made.text_encoders)
        return replace(made, hardware=hardware, text_encoders=encoders)

    def fitted(kind: Any, model: Any) -> Any:
        # On the thread that loads the model, which nobody counts.
        with Waits():
            return fit(kind, model)

    with (
        patch.object(Hardware, "choose", chosen),
        patch.object(loaded_model, "load_checkpoint", loaded),
        patch.object(previews.Previews, "fit", classmethod(fitted)),
    ):
        yield
