"""What a device is told before it starts: plain data, safe to pickle between processes."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceSpec:
    """One device and what it serves.

    `models` are texts that `ModelSource.parse` takes; the first is loaded at the start, the others when a request names
    them by their `ModelFacts.name`. `device` is `auto`, `cpu` or `cuda:<index>`. `loras` is the folder in which a
    LoRA's file is found as `<key>.safetensors`. `max_rows` bounds the rows of one denoiser call (a guided picture takes
    two); `preview_every` is in steps, 0 for none; `threads` is the number of CPU threads, None for torch's own choice.
    """

    models: tuple[str, ...]
    device: str = "auto"
    loras: Path | None = None
    max_rows: int = 16
    preview_every: int = 3
    threads: int | None = None
