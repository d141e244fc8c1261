"""Host memory of a device that serves `pocket` with fifty LoRAs in rotation, over two thousand requests.

`python -m benchmarks.memory PLOT` prints what the process holds as it goes, and draws it into the file PLOT.
"""

import sys
import tempfile
from pathlib import Path

import torch
from diffusers import StableDiffusionXLPipeline

from benchmarks.plots import plot_memory
from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Rendered
from pipeline.requests.device_spec import DeviceSpec
from pipeline.requests.image_request import ImageRequest, LoraUse
from tests.pipeline.random_loras import random_lora
from tests.pipeline.tiny_models import POCKET

LORAS = 50
REQUESTS = 2000
AT_ONCE = 8
# A tenth of all: most requests find their LoRA neither on the device nor in host memory.
KEPT = 5
PRINTED = (100, 500, 1000, 1500, 2000)
MIB = 1024 * 1024


def main() -> None:
    """Run it."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        size = _save_loras(folder)
        budget = KEPT * size
        spec = DeviceSpec(
            models=(str(POCKET),),
            device="cpu",
            loras=folder,
            threads=1,
            host_lora_bytes=budget,
            device_lora_bytes=budget,
        )
        sys.stdout.write(f"{LORAS} LoRAs of {size / MIB:.1f} MiB; the setting allows {budget / MIB:.1f} MiB.\n\n")
        sys.stdout.write(
            "| requests | process, MiB | LoRAs in host memory, MiB | LoRAs on the device, MiB |\n|---|---|---|---|\n"
        )
        plot_memory(_serve(Engine(spec), budget), budget / MIB, Path(sys.argv[1]))


def _save_loras(folder: Path) -> int:
    """Fifty random ones for attention and feed-forward, rank 16; returns the bytes that one takes."""
    pipeline = StableDiffusionXLPipeline.from_pretrained(POCKET)
    wanted = (".to_q", ".to_k", ".to_v", ".to_out.0", ".proj", ".net.2")
    for seed in range(LORAS):
        lora = random_lora(pipeline, f"lora{seed}", rank=16, wanted=lambda layer: layer.endswith(wanted), seed=seed)
        lora.save(folder)
    return sum(down.nbytes + up.nbytes for down, up in lora.layers.values())


def _serve(engine: Engine, budget: int) -> list[tuple[int, float, float]]:
    """All requests, a few at a time; what is held after every hundredth, in MiB."""
    held = []
    done = asked = 0
    engine.step()
    model = next(iter(engine._cache.loaded.values()))  # noqa: SLF001  what is under measure
    while done < REQUESTS:
        while asked < min(REQUESTS, done + AT_ONCE):
            engine.admit(str(asked), _request(asked))
            asked += 1
        for event in engine.step():
            if not isinstance(event, Rendered):
                continue
            done += 1
            cached, resident = model.loras._cache.size, model._adapters.size  # noqa: SLF001
            assert cached <= budget, f"{cached} bytes of LoRAs in host memory where {budget} are allowed"
            if done % 100 == 0:
                held.append((done, _resident_bytes() / MIB, cached / MIB))
            if done in PRINTED:
                row = (*held[-1], resident / MIB)
                sys.stdout.write("| {:d} | {:.0f} | {:.1f} | {:.1f} |\n".format(*row))
                sys.stdout.flush()
    return held


def _request(number: int) -> ImageRequest:
    lora = LoraUse(key=f"lora{number * 7 % LORAS}", name="lora")
    return ImageRequest(
        prompt=f"red fox {number % 10}", width=64, height=64, steps=1, guidance_scale=1.0, seed=number, model="pocket",
        loras=(lora,),
    )  # fmt: skip


def _resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096


if __name__ == "__main__":
    main()
