"""The VAEs that requests for a model may name: loaded while images go on, the least recently used released."""

from collections import OrderedDict
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.loaders.single_file_utils import convert_ldm_vae_checkpoint
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.errors import InvalidRequest
from pipeline.memory import memory_in_words
from pipeline.models.checkpoint import Checkpoint, current_name
from pipeline.models.vaes import Vaes

_KEPT: Final = 2
"""A third of a gigabyte each; what a request in flight holds stays with it."""
_IN_CHECKPOINT: Final = "first_stage_model."


class VaeLibrary:
    """The VAEs for one model.

    Args:
        checkpoint: the model; its own VAE says of which layers another must be.
        vaes: the installation's.
    """

    def __init__(self, checkpoint: Checkpoint, vaes: Vaes) -> None:
        self._checkpoint = checkpoint
        self._vaes = vaes
        self._loaded: OrderedDict[Path, Future[Any]] = OrderedDict()
        self._loader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="vaes")

    def acquire(self, name: str | None, timeout: float) -> Any:
        """A VAE on the model's device.

        Args:
            name: None for the model's own.
            timeout: seconds to wait.

        Returns:
            The module; None where it is still loading: call again later.

        Raises:
            InvalidRequest: there is none of that name for the model, or its file is damaged.
        """
        if name is None:
            return self._checkpoint.vae
        facts = self._checkpoint.facts
        file = self._vaes.file(name, facts.family, facts.name)
        if file not in self._loaded:
            self._loaded[file] = self._loader.submit(self._load, name, file)
        self._loaded.move_to_end(file)
        try:
            vae = self._loaded[file].result(timeout)
        except TimeoutError:
            return None
        except Exception:
            del self._loaded[file]
            raise
        while len(self._loaded) > _KEPT:
            self._loaded.popitem(last=False)
        return vae

    def close(self) -> None:
        """Load nothing more."""
        self._loader.shutdown(wait=False, cancel_futures=True)

    def _load(self, name: str, file: Path) -> Any:
        hardware, config = self._checkpoint.hardware, self._checkpoint.vae.config
        with torch.device("meta"):
            vae = AutoencoderKL.from_config(config)
        try:
            with memory_in_words(f"VAE '{name:.60}'", "leave vae out, or try again later"):
                tensors = _read(file, str(hardware.device))
                if not any(key.startswith("encoder.down_blocks.") for key in tensors):
                    tensors = convert_ldm_vae_checkpoint(tensors, config)
                weights = {current_name(key): tensor.to(hardware.vae_dtype) for key, tensor in tensors.items()}
                vae.load_state_dict(weights, assign=True)
        except (SafetensorError, OSError, RuntimeError, KeyError, IndexError) as error:
            raise InvalidRequest(
                "vae",
                f"VAE '{name:.60}' is damaged, or none for {self._checkpoint.facts.name}; an admin can replace it.",
            ) from error
        return vae.requires_grad_(requires_grad=False).eval().to(memory_format=hardware.layout)


def _read(file: Path, device: str) -> dict[str, Tensor]:
    """The tensors of a VAE's file, or of the VAE in a whole checkpoint."""
    with safe_open(file, framework="pt", device=device) as tensors:
        names = list(tensors.keys())
        own = [name for name in names if name.startswith(_IN_CHECKPOINT)]
        return {name: tensors.get_tensor(name) for name in own or names}
