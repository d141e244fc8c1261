"""Each extra, installed under constraints.txt beside all the rest: the product is still imported, and uses it."""

import os
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
EXTRAS: Final[dict[str, list[str]]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
    "optional-dependencies"
]
USES: Final = {
    "postgres": "import asyncpg",
    "adamw8bit": "from bitsandbytes.optim import AdamW8bit",
    "fp8": "from torchao.quantization import quantize_",
    "openvino": "import openvino",
}
TESTS: Final = {"fp8": ("tests/pipeline/models/test_quantization.py", "tests/pipeline/lora/serving/test_own_weight.py")}
"""Of what only an extra does; diffusers loads torchao wherever it is, so in no other environment."""

PRODUCT: Final = """
import bot.__main__, bot.assembly.runtime, pipeline.devices.process_device, pipeline.engine.engine
import pipeline.images.upscale, pipeline.models.quantization, pipeline.training.run
from diffusers import ControlNetModel, StableDiffusionXLPipeline
from transformers import CLIPTextModel
"""


def run(*command: str | Path) -> None:
    subprocess.run(command, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})  # noqa: S603  our own words


def test_every_extra_is_tried() -> None:
    """All but what developers need, which the suite itself tries."""
    assert set(USES) == set(EXTRAS) - {"dev"}


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("extra", USES)
def test_the_product_is_imported_with_each_extra(extra: str, tmp_path: Path) -> None:
    """It is installed into an environment of its own, which sees the packages of this one."""
    run(sys.executable, "-m", "venv", tmp_path)
    python = tmp_path / "bin" / "python"
    (site,) = tmp_path.glob("lib/python*/site-packages")
    (site / "beside.pth").write_text(sysconfig.get_path("purelib"))

    run(python, "-m", "pip", "install", "--constraint", "constraints.txt", "setuptools", *EXTRAS[extra])
    run(python, "-m", "pip", "check")

    run(python, "-c", f"{PRODUCT}\n{USES[extra]}")
    if extra in TESTS:
        run(python, "-m", "pytest", *TESTS[extra])
