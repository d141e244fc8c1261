"""Which devices the pool gets."""

from pathlib import Path

import pytest

from bot.assembly.devices import device_names
from pipeline.errors import UserError


@pytest.mark.parametrize(
    ("chosen", "environment", "names"),
    [
        ("auto", {}, ("cuda:0", "cuda:1", "cuda:2")),
        ("", {}, ("cuda:0", "cuda:1", "cuda:2")),
        ("auto", {"CUDA_VISIBLE_DEVICES": "2,0"}, ("cuda:0", "cuda:1")),
        ("auto", {"CUDA_VISIBLE_DEVICES": ""}, ("auto",)),
        ("auto", {"CUDA_VISIBLE_DEVICES": "-1"}, ("auto",)),
        ("cpu", {}, ("cpu",)),
        ("cuda:1, cuda:0", {}, ("cuda:1", "cuda:0")),
    ],
)
def test_auto_is_every_gpu_that_may_be_used(
    tmp_path: Path, chosen: str, environment: dict[str, str], names: tuple[str, ...]
) -> None:
    """Three GPUs in the driver; CUDA counts those that it may show from 0."""
    for gpu in ("0000:01:00.0", "0000:02:00.0", "0000:03:00.0"):
        (tmp_path / gpu).mkdir()

    assert device_names(chosen, environment, tmp_path) == names


def test_a_machine_without_a_gpu_leaves_the_choice_to_the_engine(tmp_path: Path) -> None:
    """It knows of other accelerators, and of the CPU."""
    assert device_names("auto", {}, tmp_path / "no driver") == ("auto",)


def test_a_device_named_twice_is_refused() -> None:
    """Two processes on one GPU would halve each other's memory."""
    with pytest.raises(UserError, match="name each once"):
        device_names("cuda:0,cuda:0", {})
