"""What a device is told before it starts: plain data, safe to pickle between processes."""

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from pipeline.errors import UserError
from pipeline.requests.image_request import MAX_BUCKET

# One guided image.
MIN_ROWS: Final = 2


class Weights(StrEnum):
    """How exactly a denoiser's base weights are kept: as they compute, or in float8."""

    FULL = "full"
    FP8 = "fp8"


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """One device and what it serves.

    `models` are texts that `ModelSource.parse` takes; the first is loaded at the start, the others when a request
    names them by their `ModelFacts.name`. `device` is `auto`, `cpu` or `cuda:<index>`. `loras` is the folder in which
    a LoRA's file is found as `<key>.safetensors`, `controls` that of the ControlNets, as `<base>/<kind>/`, `vaes`
    that of VAEs beside the models' own, as `<base>/<name>.safetensors`. `max_rows` bounds the rows of one denoiser
    call (a guided image takes two); `preview_every` is in steps, 0 for none; `threads` is the number of CPU threads,
    None for torch's own choice; `snapshot_every` is in steps, 0 for never (see Stepped.snapshot); `host_lora_bytes`
    and `device_lora_bytes` bound the LoRAs kept in host memory and on the device, where batches take at most as much
    again for their rows, `control_bytes` the ControlNets, for each model; `model_bytes` bounds the weights of several
    models kept beside each other, None for as many as fit. `cache` is a folder for what was measured or compiled,
    kept between starts, None for nowhere; `calibration_seconds` bounds the time that a start spends on measuring its
    steps, 0 for none. `compile` lets the device compile what it often runs and use it where that is measured to be
    faster; `graphs` lets a GPU replay its forwards as CUDA graphs; `weights` says how the denoiser's own are kept.
    """

    models: tuple[str, ...]
    device: str = "auto"
    loras: Path | None = None
    controls: Path | None = None
    vaes: Path | None = None
    max_rows: int = 16
    preview_every: int = 3
    threads: int | None = None
    snapshot_every: int = 0
    host_lora_bytes: int = 2 * 1024**3
    device_lora_bytes: int = 4 * 1024**3
    control_bytes: int = 6 * 1024**3
    model_bytes: int | None = None
    cache: Path | None = None
    calibration_seconds: float = 0.0
    compile: bool = False
    graphs: bool = False
    weights: Weights = Weights.FULL

    def __post_init__(self) -> None:
        if not self.models:
            raise UserError("No model is named; set LIMNER_MODEL.")
        if not MIN_ROWS <= self.max_rows <= MAX_BUCKET:
            raise UserError(f"A device's rows are {self.max_rows}; use {MIN_ROWS} to {MAX_BUCKET}.")
