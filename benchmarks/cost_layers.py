"""What layouts, LoRAs on convolutions and room for LoRAs cost: layer by layer, and in bytes at SDXL's true size."""

import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import TYPE_CHECKING, Any

import torch
from diffusers import UNet2DConditionModel
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from benchmarks.gpu_model import SDXL_UNET
from benchmarks.measuring import Cost
from pipeline.lora.serving.adapter_pool import AdapterPool
from pipeline.lora.serving.layers import AdaptedConv2d, AdaptedNetwork, adapt
from pipeline.lora.serving.pages import MOST_PAGES
from pipeline.lora.serving.row_stack import RowStack
from pipeline.models.hardware import Hardware

if TYPE_CHECKING:
    from benchmarks.costs import CostBench

_GIB = 1024**3
_META = torch.device("meta")
_ROWS = 8
_LAYOUTS = {"channels last": torch.channels_last, "contiguous": torch.contiguous_format}


def layer_costs(bench: "CostBench") -> Iterator[Cost]:
    """All of them."""
    yield from _layouts(bench)
    yield from _norm_copies()
    yield from _changed_convolutions()
    yield from _lora_bytes()


def sdxl_unet() -> UNet2DConditionModel:
    """SDXL's own, without numbers."""
    with _META:
        return UNet2DConditionModel(**SDXL_UNET).to(torch.bfloat16)


def _call(unet: UNet2DConditionModel, latents: Tensor, width: int) -> None:
    config, rows = unet.config, len(latents)
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    added = {"text_embeds": latents.new_zeros(rows, pooled), "time_ids": latents.new_zeros(rows, 6)}
    states = latents.new_zeros(rows, 77, width)
    unet(latents, latents.new_zeros(rows), encoder_hidden_states=states, added_cond_kwargs=added)


@torch.inference_mode()
def _layouts(bench: "CostBench") -> Iterator[Cost]:
    """A call of nano's UNet in both layouts on this CPU."""
    unet = UNet2DConditionModel.from_pretrained(bench.model / "unet").eval()
    latents = torch.randn(_ROWS, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    for name, layout in _LAYOUTS.items():
        unet.to(memory_format=layout)
        seconds = _seconds(lambda: _call(unet, latents, 64))
        yield Cost(what=f"nano's UNet, {_ROWS} rows at 128 px, {name}, this CPU", value=1000 * seconds, unit="CPU-ms")


class _NormCopies(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch has no types for it
    """What would be copied on CUDA into another layout.

    There a convolution computes channels last where its input or its weight is, and copies an input that is not;
    GroupNorm's output is contiguous, and it copies an input that is not.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # as above
        self.count = self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run one call."""
        name = str(func)
        convolves = "conv" in name and args[0].ndim == 4 and (_is_last(args[0]) or _is_last(args[1]))
        if ("group_norm" in name and not args[0].is_contiguous()) or (convolves and not _is_last(args[0])):
            self.count += 1
            self.bytes += args[0].nbytes
        answer = func(*args, **kwargs or {})
        return answer.to(memory_format=torch.channels_last) if convolves else answer


def _is_last(tensor: Tensor) -> bool:
    return tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous()


@torch.inference_mode()
def _norm_copies() -> Iterator[Cost]:
    """In a call of SDXL's UNet for one guided image."""
    unet = sdxl_unet()
    gpu = Hardware(device=torch.device("cuda"), dtype=torch.bfloat16, vae_dtype=torch.bfloat16)
    unet.to(memory_format=gpu.layout)
    with _NormCopies() as copies:
        _call(unet, torch.zeros(2, 4, 128, 128, dtype=torch.bfloat16, device=_META), 2048)
    yield Cost(
        what="SDXL, 2 rows at 1024 px in a GPU's layout: copies into another layout", value=copies.count, unit=""
    )
    yield Cost(what="the same", value=copies.bytes / 1e6, unit="MB")


@torch.inference_mode()
def _changed_convolutions() -> Iterator[Cost]:
    """The update of a LoRA of rank 16 on each row of a convolution."""
    for channels, side in ((320, 32), (64, 64)):
        network = nn.Sequential(nn.Conv2d(channels, channels, 3, padding=1))
        adapt(network)
        layer = network[0]
        assert isinstance(layer, AdaptedConv2d)
        down, up = torch.randn(_ROWS, channels * 9, 16), torch.randn(_ROWS, 16, channels)
        shown = torch.randn(_ROWS, channels, side, side).to(memory_format=torch.channels_last)
        plain = _seconds(lambda: nn.Conv2d.forward(layer, shown))  # noqa: B023  called at once
        output = nn.Conv2d.forward(layer, shown)
        seconds = _seconds(lambda: layer.changed(output, shown, down, up))  # noqa: B023  as above
        name = f"a convolution of {channels} channels at {side}x{side}, {_ROWS} rows"
        yield Cost(what=f"{name}: itself", value=1000 * plain, unit="CPU-ms")
        yield Cost(what=f"{name}: its LoRAs", value=1000 * seconds, unit="CPU-ms")
        for way in (_row_by_row, _unfolded):
            seconds = _seconds(lambda: way(shown, down, up))  # noqa: B023  as above
            yield Cost(what=f"{name}: its LoRAs, {way.__doc__}", value=1000 * seconds, unit="CPU-ms")


def _row_by_row(shown: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """a convolution for each row"""  # noqa: D403  ends a line of the table
    rows, _, rank = down.shape
    kernels = down.transpose(1, 2).reshape(rows, rank, -1, 3, 3)
    hidden = torch.cat([nn.functional.conv2d(shown[row, None], kernels[row], padding=1) for row in range(rows)])
    return torch.bmm(up.transpose(1, 2), hidden.reshape(rows, rank, -1))


def _unfolded(shown: Tensor, down: Tensor, up: Tensor) -> Tensor:
    """a batched product over the unfolded input"""  # noqa: D403  as above
    columns = nn.functional.unfold(shown, 3, padding=1)
    return torch.bmm(up.transpose(1, 2), torch.bmm(down.transpose(1, 2), columns))


def _lora_bytes() -> Iterator[Cost]:
    """Room for LoRAs of rank 64, the largest in pages, in every row of SDXL's attention and feed-forward layers."""
    network = adapt(sdxl_unet())
    pool = AdapterPool({"unet": network}, _META, torch.bfloat16, 4 * _GIB)
    numbers = [number for number, bank in enumerate(network.banks) if any(".attentions." in n for n in bank.names)]
    stack = RowStack(pool, "unet", rows=_ROWS, pages=MOST_PAGES)
    gathered = sum(down.nbytes + up.nbytes for down, up in stack.reserve(numbers))
    yield Cost(what=f"SDXL, {_ROWS} rows of rank 64: gathered copies", value=gathered / 1e9, unit="GB")
    yield Cost(what="SDXL: first pools, for a LoRA of one page", value=_first_pools(network, numbers) / 1e9, unit="GB")
    rows = float(pool.page_rows // MOST_PAGES)
    yield Cost(what="SDXL: rows of rank 64 that may be open at once with 4 GiB for LoRAs", value=rows, unit="")


def _first_pools(network: AdaptedNetwork, numbers: list[int]) -> int:
    pool = AdapterPool({"unet": network}, _META, torch.bfloat16, 4 * _GIB)
    pools = [pool.pool(("unet", number)) for number in numbers]
    for each in pools:
        each._grow(1, pool.page_rows)  # noqa: SLF001  as the first LoRA makes it do
    return sum(each.down.nbytes + each.up.nbytes for each in pools)


def _seconds(call: Callable[[], object]) -> float:
    call()
    times = []
    for _ in range(5):
        began = time.process_time()
        call()
        times.append(time.process_time() - began)
    return median(times)
