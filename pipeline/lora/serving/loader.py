"""From the keys in a request to LoRAs on the device: disk, then host memory, then pages, always ahead of the step."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from pipeline.errors import UserError
from pipeline.lora.serving.adapter_pool import Adapter, AdapterPool
from pipeline.lora.serving.cache import LoraCache
from pipeline.lora.serving.pages import LoraPages, load_pages
from pipeline.memory import OutOfMemory, memory_in_words
from pipeline.models.hardware import Hardware
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse


class LoraLibrary:
    """The LoRAs that requests for one model may name.

    Args:
        spec: the folder that holds them, and the host memory that they may take.
        pool: of the model's LoRAs on the device.
        hardware: the device.
    """

    def __init__(self, spec: DeviceSpec, pool: AdapterPool, hardware: Hardware) -> None:
        self._folder = spec.loras
        self._pool = pool
        self._hardware = hardware
        self._cache = LoraCache(self._load, spec.host_lora_bytes)

    def want(self, loras: Sequence[LoraUse]) -> None:
        """Begin to load LoRAs into host memory.

        Args:
            loras: of a request that will come.
        """
        for lora in loras:
            self._cache.want(lora.key)

    def acquire(self, request: ImageRequest, timeout: float) -> tuple[Adapter, ...] | None:
        """Pin all LoRAs of a request on the device.

        Args:
            request: names them.
            timeout: seconds to wait for each.

        Returns:
            In the request's order; None while one is still loading, or others leave no room.

        Raises:
            UserError: names the LoRA that cannot be had.
        """
        self._cache.hold(lora.key for lora in request.loras)
        pages = [page for lora in request.loras if (page := self._take(lora, timeout))]
        if len(pages) < len(request.loras):
            return None
        self._cache.hold(())
        adapters: list[Adapter] = []
        try:
            for lora, host in zip(request.loras, pages, strict=True):
                with _in_words(lora):
                    adapter = self._pool.acquire(lora.key, host, adapters)
                if adapter is None:
                    break
                adapters.append(adapter)
        finally:
            if len(adapters) < len(pages):
                self.release(adapters)
        return tuple(adapters) if len(adapters) == len(pages) else None

    def release(self, adapters: Sequence[Adapter]) -> None:
        """Unpin LoRAs.

        Args:
            adapters: what `acquire` gave.
        """
        for adapter in adapters:
            self._pool.release(adapter)

    def close(self) -> None:
        """Load nothing more."""
        self._cache.close()

    def _take(self, lora: LoraUse, timeout: float) -> LoraPages | None:
        try:
            with _in_words(lora):
                return self._cache.take(lora.key, timeout)
        except OutOfMemory:
            raise
        except UserError as error:
            raise UserError(f"LoRA '{lora.name}' cannot be used: {error}") from error

    def _load(self, key: str) -> LoraPages:
        if self._folder is None or Path(key).name != key:
            raise UserError("this device has no library that holds it.")
        path = self._folder / f"{key}.safetensors"
        if not path.exists():
            raise UserError("its file is missing; add it again.")
        pin = self._hardware.device.type == "cuda"
        return load_pages(path, self._pool.networks, self._hardware.dtype, pin=pin)


def _in_words(lora: LoraUse) -> AbstractContextManager[None]:
    return memory_in_words(f"LoRA '{lora.name}'", "use fewer LoRAs or a smaller one, or try again later")
