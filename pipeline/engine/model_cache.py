"""The models of one device: loaded while the engine steps, the least recently used released first."""

import gc
import logging
from collections import OrderedDict
from collections.abc import Container
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.engine.loaded_model import LoadedModel
from pipeline.errors import UserError
from pipeline.memory import memory_in_words
from pipeline.models.hardware import Hardware
from pipeline.models.metadata import ModelFacts
from pipeline.models.source import ModelSource
from pipeline.requests.device_spec import DeviceSpec

_log = logging.getLogger(__name__)


class ModelCache:
    """What a device serves, by the names in requests; models load on a thread, so that no step waits for one.

    Args:
        spec: the models, the first of which is the default, and the bytes that they may take.
        hardware: the device.

    Raises:
        UserError: a model is not on this machine.
    """

    def __init__(self, spec: DeviceSpec, hardware: Hardware) -> None:
        self._spec = spec
        self._hardware = hardware
        self._served: dict[str, tuple[ModelSource, ModelFacts]] = {}
        for source in map(ModelSource.parse, spec.models):
            facts = source.facts()
            self._served[facts.name] = (source, facts)
        self._models: OrderedDict[str, Future[LoadedModel]] = OrderedDict()
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="models")

    @property
    def first(self) -> str:
        """The name of the default model."""
        return next(iter(self._served))

    @property
    def loaded(self) -> dict[str, LoadedModel]:
        """The models that are in memory, the least recently used first."""
        return {name: model.result() for name, model in self._models.items() if _is_loaded(model)}

    def facts(self, name: str) -> ModelFacts:
        """What is known of a model before it is loaded.

        Args:
            name: as in requests.

        Returns:
            Its family, size and limits.

        Raises:
            UserError: it is not served here.
        """
        if name not in self._served:
            raise UserError(f"Model '{name}' is not served here; choose one of: {', '.join(self._served)}.")
        return self._served[name][1]

    def want(self, name: str, busy: Container[str]) -> bool:
        """Begin to load a model, unless it is here or loading; idle models are released where it needs their room.

        Args:
            name: of a served model.
            busy: names of models with requests in flight, which stay.

        Returns:
            False while the busy ones leave it no room.
        """
        if name not in self._models:
            if not self._has_room(self._bytes(name), busy):
                return False
            self._models[name] = self._loader.submit(self._load, name)
        self._models.move_to_end(name)
        return True

    def take(self, name: str, timeout: float | None) -> LoadedModel | None:
        """A model after `want`.

        Args:
            name: of the model.
            timeout: seconds to wait; None waits to the end.

        Returns:
            None if it is still loading.

        Raises:
            UserError: it cannot be loaded; the next `want` tries again.
        """
        try:
            return self._models[name].result(timeout)
        except TimeoutError:
            return None
        except Exception:
            del self._models[name]
            raise

    def _load(self, name: str) -> LoadedModel:
        source, _ = self._served[name]
        with memory_in_words(f"model '{name}'", "close other programs or choose a smaller model"):
            return LoadedModel(source, self._hardware, self._spec)

    def _has_room(self, needed: int, busy: Container[str]) -> bool:
        """Put models away until `needed` bytes fit beside the rest; False if they never will while `busy` stays."""
        while self._models:
            held = sum(map(self._bytes, self._models))
            if self._allowed(held + needed) and self._hardware.fits(needed):
                return True
            idle = [name for name, model in self._models.items() if name not in busy and model.done()]
            if not idle:
                return False
            self._release(idle[0])
        return True

    def _allowed(self, held: int) -> bool:
        return self._spec.model_bytes is None or held <= self._spec.model_bytes

    def _release(self, name: str) -> None:
        model = self._models.pop(name)
        if _is_loaded(model):
            model.result().close()
        del model
        gc.collect()
        self._hardware.release_unused()
        _log.info("released model %s to make room", name)

    def _bytes(self, name: str) -> int:
        return self._served[name][1].parameters * self._hardware.dtype.itemsize


def _is_loaded(model: Future[LoadedModel]) -> bool:
    return model.done() and model.exception() is None
