"""LoRAs in host memory: loaded in advance on a thread of their own, kept while there is room."""

from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import RLock

from pipeline.lora.serving.pages import LoraPages


class LoraCache:
    """The LoRAs of one model by key, in host memory.

    The least recently used is evicted first, and one that was wanted and not yet taken last.

    Args:
        load: reads a LoRA from disk; called on a thread beside the engine's, so that no step waits for a disk.
        budget: bytes of all of them; those of a single request may be more.
    """

    def __init__(self, load: Callable[[str], LoraPages], budget: int) -> None:
        self._load = load
        self._budget = budget
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="loras")
        self._loras: OrderedDict[str, Future[LoraPages]] = OrderedDict()
        self._not_taken: set[str] = set()
        self._held: frozenset[str] = frozenset()
        self._lock = RLock()

    @property
    def size(self) -> int:
        """Bytes of all that are loaded."""
        with self._lock:
            return sum(lora.result().size for lora in self._loras.values() if _loaded(lora))

    def want(self, key: str) -> None:
        """Begin to load a LoRA unless it is here or loading.

        Args:
            key: of the LoRA.
        """
        self._wanted(key)

    def hold(self, keys: Iterable[str]) -> None:
        """Keep some LoRAs, which one request needs together, from eviction; ignored while those held before are still
        loading.

        Args:
            keys: of the LoRAs; none ends the hold.
        """
        with self._lock:
            if all(key not in self._loras or self._loras[key].done() for key in self._held):
                self._held = frozenset(keys)

    def take(self, key: str, timeout: float) -> LoraPages | None:
        """A LoRA, loaded if need be.

        Args:
            key: of the LoRA.
            timeout: seconds to wait.

        Returns:
            None if it is still loading. What `load` raised is raised here, and the next call tries again.
        """
        lora = self._wanted(key)
        try:
            return lora.result(timeout)
        except TimeoutError:
            return None
        except Exception:
            # The file may have been repaired by the next call.
            self._loras.pop(key, None)
            raise
        finally:
            if lora.done():
                self._not_taken.discard(key)

    def close(self) -> None:
        """End the thread; what is queued is not loaded."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _wanted(self, key: str) -> Future[LoraPages]:
        with self._lock:
            self._not_taken.add(key)
            if key not in self._loras:
                self._loras[key] = self._loader.submit(self._bring, key)
            self._loras.move_to_end(key)
            return self._loras[key]

    def _bring(self, key: str) -> LoraPages:
        pages = self._load(key)
        with self._lock:
            self._make_room(pages.size)
        return pages

    def _make_room(self, needed: int) -> None:
        loaded = [key for key, lora in self._loras.items() if _loaded(lora) and key not in self._held]
        for key in sorted(loaded, key=self._not_taken.__contains__):
            if self.size + needed <= self._budget:
                return
            del self._loras[key]
            self._not_taken.discard(key)


def _loaded(lora: Future[LoraPages]) -> bool:
    return lora.done() and lora.exception() is None
