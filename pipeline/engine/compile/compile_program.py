"""The compiler's program: `python -m pipeline.engine.compile.compile_program FOLDER BACKEND` hears a spec."""

import os
import sys
import threading
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch._inductor import standalone_compile

from pipeline.engine.compile.compile_process import OPENVINO, CompileSpec, trace, trace_program
from pipeline.processes import frames
from pipeline.processes.program import open_frames


def _main(folder: Path, backend: str) -> None:
    stream, _ = open_frames()
    spec = frames.read(stream)
    assert isinstance(spec, CompileSpec), "an engine begins with the spec"
    threading.Thread(target=_end_with_parent, args=(stream,), daemon=True).start()
    torch.set_num_threads(spec.threads)
    try:
        names = _convert(spec, folder) if backend == OPENVINO else _compile(spec, folder)
        (folder / "weights").write_text("\n".join(names))
    except Exception as error:
        (folder / "why").write_text(f"{type(error).__name__}: {error}")
        raise


def _compile(spec: CompileSpec, folder: Path) -> tuple[str, ...]:
    """Write inductor's code; the names of the weights that it takes."""
    exported = trace(spec)
    with torch.no_grad():
        artifact = standalone_compile(exported.module, list[Any](exported.example_inputs))
    artifact.save(path=str(folder / "graph"))
    return exported.weights


def _convert(spec: CompileSpec, folder: Path) -> tuple[str, ...]:
    """Write OpenVINO's form; the names of the weights that it takes."""
    from pipeline.engine.compile.openvino_graph import convert  # noqa: PLC0415  an optional package

    program, weights = trace_program(spec)
    convert(program, folder / "graph.xml")
    return weights


def _end_with_parent(stream: BinaryIO) -> None:
    stream.read(1)
    os._exit(1)


if __name__ == "__main__":
    _main(Path(sys.argv[1]), sys.argv[2])
