"""One-file checkpoints, as the trainers of SDXL and SD 1.5 save them, read as the parts that diffusers names."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors import SafetensorError, safe_open
from torch import Tensor

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES
from pipeline.memory import memory_in_words
from pipeline.models.config_check import read_config
from pipeline.models.file_marks import scheduler_marks, vae_marks
from pipeline.models.scheduler_config import scheduler_config

_UNET: Final = "model.diffusion_model."
_VAE: Final = "first_stage_model."

Tensors = dict[str, Tensor]


@dataclass(frozen=True, slots=True, kw_only=True)
class SingleFile:
    """The checkpoint at `path`, whose configs lie in `configs`; tensors are read onto `device`, a part at a time."""

    path: Path
    configs: Path
    family: ModelFamily
    device: torch.device

    def weights(self, part: str, dtype: torch.dtype) -> Tensors:
        """The tensors of one part.

        Args:
            part: `unet`, `vae`, or a text encoder of the family.
            dtype: what the floating ones are cast to.

        Returns:
            The tensors by diffusers' names.

        Raises:
            UserError: the file is damaged or lacks the part.
        """
        prefix, convert = self._prefixes()[part], self._converters()[part]
        found = self._read(prefix, dtype)
        try:
            with memory_in_words(self.path.name):
                converted: Tensors = convert(found) if found else {}
        except (KeyError, IndexError, RuntimeError) as error:
            raise UserError(f"{self.path.name} has {self.no_fit(part)}") from error
        if not converted:
            raise UserError(f"{self.path.name} holds no {part}; choose a whole checkpoint.")
        return converted

    def no_fit(self, part: str) -> str:
        """What to say where the file's tensors do not fit its configs.

        Args:
            part: by diffusers' name.

        Returns:
            The rest of a sentence that begins with the file.
        """
        return (
            f"other layers in its {part} than {FAMILIES[self.family].name}'s base model: choose its diffusers version, "
            "or put its configs into a folder of its name beside it."
        )

    def scheduler_config(self) -> dict[str, Any]:
        """The family's scheduler, changed where the file says that it was trained otherwise.

        Returns:
            A config as diffusers' schedulers take it.
        """
        config = scheduler_config(self.configs, self.family)
        with self._open() as file:
            return {**config, **scheduler_marks(file)}

    def config(self, part: str) -> dict[str, Any]:
        """The config of one part, changed where the file says so.

        Args:
            part: by diffusers' name.

        Returns:
            As diffusers takes it.
        """
        config = read_config(self.configs, part)
        if part != "vae":
            return config
        with self._open() as file:
            return {**config, **vae_marks(file)}

    def _prefixes(self) -> dict[str, str]:
        """How the names of each part's tensors begin in the file."""
        return {"unet": _UNET, "vae": _VAE, **FAMILIES[self.family].text_encoders}

    def _converters(self) -> dict[str, Callable[[Tensors], Tensors]]:
        """What gives each part's tensors their diffusers names."""
        own = self._prefixes()
        return {
            "unet": lambda found: convert_ldm_unet_checkpoint(found, self.config("unet")),
            "vae": lambda found: convert_ldm_vae_checkpoint(found, self.config("vae")),
            "text_encoder": lambda found: convert_ldm_clip_checkpoint(found, remove_prefix=own["text_encoder"]),
            "text_encoder_2": lambda found: convert_open_clip_checkpoint(None, found, prefix=own["text_encoder_2"]),
        }

    def _read(self, prefix: str, dtype: torch.dtype) -> Tensors:
        with self._open() as file:
            names = [name for name in file.keys() if name.startswith(prefix)]  # noqa: SIM118  it cannot be iterated
            tensors = {name: file.get_tensor(name) for name in names}
        return {name: tensor.to(dtype) if tensor.is_floating_point() else tensor for name, tensor in tensors.items()}

    def _open(self) -> Any:
        try:
            with memory_in_words(self.path.name):
                return safe_open(self.path, framework="pt", device=str(self.device))
        except (SafetensorError, OSError) as error:
            raise UserError(f"{self.path} is damaged ({error}); download it again.") from error
