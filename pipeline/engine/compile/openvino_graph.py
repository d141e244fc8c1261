"""The UNet's forward as OpenVINO runs it on a CPU: converted without numbers, then given its weights."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import openvino
from openvino import opset13
from openvino.frontend import FrontEndManager
from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder
from torch import Tensor, from_numpy
from torch.export import ExportedProgram


def convert(program: ExportedProgram, path: Path) -> None:
    """Write a program in OpenVINO's form.

    Args:
        program: all that it reads is an argument.
        path: of an .xml file; a .bin file of the same name is written beside it.
    """
    # What `openvino.convert_model` does, but for its report of each use to the makers.
    frontend = FrontEndManager().load_by_framework("pytorch")
    # Named, because the frontend reads from it until the end and does not hold it.
    decoder = TorchFXPythonDecoder.from_exported_program(program, dynamic_shapes=False)
    model = frontend.convert(frontend.load(decoder))
    openvino.save_model(model, path, compress_to_fp16=False)


class OpenVinoGraph:
    """A converted program at work; it takes the arguments that follow the weights, in float32 on the CPU.

    Args:
        path: what `convert` wrote.
        weights: the program's first arguments, of which OpenVINO keeps a copy in its own layout.
        threads: how many it may use.
    """

    def __init__(self, path: Path, weights: Sequence[Tensor], threads: int) -> None:
        core = openvino.Core()
        model = core.read_model(path)
        for parameter, weight in zip(model.get_parameters(), weights, strict=False):
            constant = opset13.constant(weight.detach().contiguous().numpy())
            parameter.output(0).replace(constant.output(0))
            model.remove_parameter(parameter)
        model.validate_nodes_and_infer_types()
        limits = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "ENABLE_CPU_PINNING": False,
        }
        self._request = core.compile_model(model, "CPU", limits).create_infer_request()

    def __call__(self, *inputs: Tensor) -> tuple[Tensor]:
        """Run it.

        Args:
            *inputs: of the sizes that it was converted for.

        Returns:
            The program's one answer, which the next call overwrites.
        """
        # Named, because OpenVINO reads from these arrays and does not hold them.
        arrays: list[Any] = [tensor.contiguous().numpy() for tensor in inputs]
        for number, array in enumerate(arrays):
            self._request.set_input_tensor(number, openvino.Tensor(array, shared_memory=True))
        self._request.infer()
        return (from_numpy(self._request.get_output_tensor().data),)
