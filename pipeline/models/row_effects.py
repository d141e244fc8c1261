"""What changes the UNet's forward for some rows of a batch and leaves the others as they are, to the bit."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from diffusers.utils.torch_utils import apply_freeu
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from pipeline.models.attention import SelfAttention
from pipeline.requests.freeu import FreeU

# Si et al. change two blocks of the way up.
_FREEU_BLOCKS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Effects:
    """Rows whose attention is `perturbed`, and those with FreeU."""

    perturbed: tuple[int, ...] = ()
    freeu: Mapping[int, FreeU] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.perturbed or self.freeu)


class RowEffects:
    """Perturbed attention (Ahn et al., 2024, arXiv 2403.17377) in a UNet's middle, and FreeU on its way up.

    Args:
        unet: diffusers' UNet2DConditionModel, with the attention that `pipeline.models.attention` installs.
    """

    def __init__(self, unet: Any) -> None:
        layers = [layer.forward for name, layer in unet.named_modules() if "mid" in name and name.endswith(".attn1")]
        self._middle: list[SelfAttention] = layers
        self._ups: list[tuple[int, int, nn.Module]] = []
        channels = unet.config.block_out_channels[-1]
        for number, block in enumerate(unet.up_blocks[:_FREEU_BLOCKS]):
            for resnet in block.resnets:
                self._ups.append((number, channels, resnet))
                channels = resnet.out_channels

    @property
    def can_perturb(self) -> bool:
        """Whether there is attention in the middle."""
        return bool(self._middle)

    @contextmanager
    def applied(self, effects: Effects) -> Iterator[None]:
        """Run the UNet's forward inside this block.

        Args:
            effects: by the batch's rows.

        Yields:
            Nothing.
        """
        with ExitStack() as undo:
            for layer in self._middle:
                layer.perturbed = effects.perturbed
                undo.callback(setattr, layer, "perturbed", ())
            for hook in self._freeu(effects.freeu) if effects.freeu else ():
                undo.callback(hook.remove)
            yield

    def _freeu(self, rows: Mapping[int, FreeU]) -> Sequence[RemovableHandle]:
        return [
            resnet.register_forward_pre_hook(partial(_freeu, rows, number, channels))
            for number, channels, resnet in self._ups
        ]


def _freeu(rows: Mapping[int, FreeU], block: int, channels: int, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
    """Change the rows in what a block has just joined: the backbone's channels, and behind them what skipped it."""
    for row, freeu in rows.items():
        # A row by itself, or its last bits would depend on how many others there are.
        backbone, skipped = inputs[0][row : row + 1].tensor_split([channels], dim=1)
        _, filtered = apply_freeu(block, backbone, skipped, **freeu.factors)
        skipped.copy_(filtered)
