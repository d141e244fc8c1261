"""Memory: what is there within a container's limits, and which errors say that there was none."""

import errno
from pathlib import Path

import pytest
import torch

from pipeline.errors import UserError
from pipeline.memory import OutOfMemory, available_memory, is_out_of_memory, memory_in_words

_UNLIMITED = 9223372036854771712


def machine(root: Path, groups: str, files: dict[str, object]) -> Path:
    """A machine with 1 GB to give, on which this process is in `groups`."""
    texts = {"proc/meminfo": "MemTotal: 2000000 kB\nMemAvailable: 1000000 kB\n", "proc/self/cgroup": groups}
    for name, text in {**texts, **{f"sys/fs/cgroup/{name}": text for name, text in files.items()}}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(f"{text}")
    return root


@pytest.mark.parametrize(
    ("groups", "files", "available"),
    [
        ("", {}, 1_024_000_000),
        ("0::/\n", {"memory.max": "max\n", "memory.current": 5}, 1_024_000_000),
        ("0::/\n", {"memory.max": "500\n", "memory.current": "200\n"}, 300),
        ("0::/\n", {"memory.max": "max", "memory.high": 400, "memory.current": 200}, 200),
        ("0::/\n", {"memory.max": 500, "memory.current": 700}, 0),
        (
            "0::/\n",
            {"memory.max": 500, "memory.current": 450, "memory.stat": "anon 50\ninactive_file 300\nactive_file 100\n"},
            450,
        ),
        (
            "0::/a/b\n",
            {"a/b/memory.max": "max", "a/b/memory.current": 1, "a/memory.max": 100, "a/memory.current": 40},
            60,
        ),
        ("0::/../pod\n", {"memory.max": 500, "memory.current": 200}, 300),
        (
            "9:name=systemd:/\n4:cpu,memory:/docker/x\n",
            {
                "memory/docker/x/memory.limit_in_bytes": 900,
                "memory/docker/x/memory.usage_in_bytes": 800,
                "memory/docker/x/memory.stat": "inactive_file 1\ntotal_inactive_file 700\n",
                "memory/memory.limit_in_bytes": _UNLIMITED,
                "memory/memory.usage_in_bytes": 800,
            },
            800,
        ),
        ("4:memory:/docker/x\n", {"memory/memory.limit_in_bytes": 90, "memory/memory.usage_in_bytes": 80}, 10),
        (
            "4:memory:/\n0::/\n",
            {"unified/cgroup.procs": 1, "memory/memory.limit_in_bytes": 90, "memory/memory.usage_in_bytes": 80},
            10,
        ),
        ("0::/\n", {"memory.max": "soon", "memory.current": 200}, 1_024_000_000),
    ],
)
def test_the_smallest_limit_around_this_process_counts(
    tmp_path: Path, groups: str, files: dict[str, object], available: int
) -> None:
    """Of both versions, nested, unlimited, seen from inside a container or outside; pages of files are given back."""
    assert available_memory(machine(tmp_path, groups, files)) == available


def test_this_machine_has_memory() -> None:
    """Whatever groups it is in."""
    assert available_memory() > 0


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        MemoryError("std::bad_alloc"),
        RuntimeError("std::bad_alloc"),
        torch.OutOfMemoryError("Tried to allocate 2.00 GiB"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] err == 0. DefaultCPUAllocator: can't allocate memory: "
            "you tried to allocate 4294967296 bytes. Error code 12 (Cannot allocate memory)"
        ),
        RuntimeError("[enforce fail at alloc_cpu.cpp:80] data. DefaultCPUAllocator: not enough memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"),
        RuntimeError("unable to mmap 99 bytes from file <x>: Cannot allocate memory (12)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
        RuntimeError("could not create a primitive"),
        RuntimeError("could not execute a primitive"),
    ],
)
def test_errors_of_every_library_are_recognised(error: Exception) -> None:
    """By class, by number, or by their text alone; the sentence names what was loaded."""
    assert is_out_of_memory(error)
    with (
        pytest.raises(OutOfMemory, match=r"^There is not enough memory to load LoRA 'x'; use fewer\.$"),
        memory_in_words("LoRA 'x'", "use fewer"),
    ):
        raise error


def test_what_cannot_be_computed_is_not_for_want_of_memory() -> None:
    """A convolution that oneDNN does not know fails in almost the same words."""
    unknown = "could not create a primitive descriptor for a convolution forward propagation primitive"

    assert not is_out_of_memory(RuntimeError(unknown))


def test_torch_on_this_cpu_says_what_is_recognised() -> None:
    """More than any machine has."""
    with pytest.raises(RuntimeError) as failed:
        torch.empty(2**60, dtype=torch.uint8)

    assert is_out_of_memory(failed.value)


@pytest.mark.parametrize(
    "error",
    [RuntimeError("mat1 and mat2 shapes"), OSError(errno.ENOENT, "gone"), UserError("'out of memory' is no LoRA")],
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    """Also those that quote what a member wrote."""
    assert not is_out_of_memory(error)
    with pytest.raises(type(error)) as raised, memory_in_words("LoRA 'x'"):
        raise error
    assert raised.value is error


def test_what_was_loaded_so_far_is_let_go() -> None:
    """The error would hold it otherwise, while somebody reads its sentence."""
    kept: list[object] = []

    class Weights:
        def __del__(self) -> None:
            kept.append("gone")

    def load() -> None:
        weights = Weights()
        raise MemoryError(str(weights)[:0])

    with pytest.raises(OutOfMemory) as raised, memory_in_words("a model"):
        load()

    assert kept == ["gone"]
    assert raised.value.__cause__ is not None
