"""LoRAs in host memory: loaded ahead on a thread of their own, kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from pipeline.lora_pages import LoraPages


class LoraCache:
    """The LoRAs of one model by key, least recently used first out; `budget` is in bytes.

    `load` reads one from disk, on a thread beside the engine's, so that no step waits for a disk.
    """

    def __init__(self, load: Callable[[str], LoraPages], budget: int) -> None:
        self._load = load
        self._budget = budget
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loras")
        self._loras: OrderedDict[str, Future[LoraPages]] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes of all that are loaded."""
        return sum(lora.result().size for lora in self._loras.values() if _loaded(lora))

    def want(self, key: str) -> None:
        """Begin to load `key` unless it is here or on its way."""
        if key not in self._loras:
            self._loras[key] = self._loader.submit(self._load, key)
        self._loras.move_to_end(key)

    def take(self, key: str, timeout: float) -> LoraPages | None:
        """The LoRA, or None if it is still on its way after `timeout` seconds; raises what loading it raised."""
        self.want(key)
        lora = self._loras[key]
        try:
            pages = lora.result(timeout)
        except TimeoutError:
            return None
        except Exception:
            # The file may be mended by the time someone asks again.
            del self._loras[key]
            raise
        self._shrink(keep=key)
        return pages

    def close(self) -> None:
        """End the thread."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _shrink(self, keep: str) -> None:
        for key in [key for key, lora in self._loras.items() if key != keep and _loaded(lora)]:
            if self.size <= self._budget:
                return
            del self._loras[key]


def _loaded(lora: Future[LoraPages]) -> bool:
    return lora.done() and lora.exception() is None
