"""Which devices this machine gives to the pool, found without torch, since the chat process never imports it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from pipeline.errors import UserError

AUTO: Final = "auto"
NVIDIA_DRIVER: Final = Path("/proc/driver/nvidia/gpus")
"""Where NVIDIA's Linux driver lists its GPUs, a folder each."""


def device_names(chosen: str, environment: Mapping[str, str], driver: Path = NVIDIA_DRIVER) -> tuple[str, ...]:
    """The devices that LIMNER_DEVICES asks for; `auto` is every GPU that may be used, else what the engine finds.

    Raises UserError for a device that is named twice.
    """
    names = tuple(name.strip() for name in chosen.split(",") if name.strip())
    if names in {(), (AUTO,)}:
        gpus = _visible_gpus(environment, driver)
        return tuple(f"cuda:{index}" for index in range(gpus)) or (AUTO,)
    if len(set(names)) < len(names):
        raise UserError(f"LIMNER_DEVICES names a device twice ({chosen}); name each once.")
    return names


def _visible_gpus(environment: Mapping[str, str], driver: Path) -> int:
    """How many GPUs CUDA will show: those of the driver, or fewer where CUDA_VISIBLE_DEVICES says so."""
    present = len(list(driver.iterdir())) if driver.is_dir() else 0
    allowed = environment.get("CUDA_VISIBLE_DEVICES")
    if allowed is None:
        return present
    return min(present, len([name for name in allowed.split(",") if name.strip() not in {"", "-1"}]))
