"""The VAEs of an installation beside the models' own, by name and base; no torch, since chats list them too."""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.families.registry import FAMILIES

OWN: Final = "own"
"""What asks for the model's own, where a guild prefers another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vaes:
    """Each `<base>/<name>.safetensors` of `folder`, called after its file; `.vae` before the ending is not of the name.

    The base is the folder's name, since a file does not tell: SD 1.5's and SDXL's have the same layers.
    """

    folder: Path | None = None

    def names(self, family: ModelFamily) -> tuple[str, ...]:
        """What members choose from.

        Args:
            family: of the model.

        Returns:
            In alphabetical order.
        """
        return tuple(self._files(family))

    def file(self, name: str, family: ModelFamily, model: str) -> Path:
        """The weights of a VAE.

        Args:
            name: one of `names`.
            family: of the model.
            model: what the model is called in an error.

        Returns:
            The file.

        Raises:
            InvalidRequest: there is no such VAE for the family; the sentence lists those that exist.
        """
        if (files := self._files(family)) and name in files:
            return files[name]
        there = f"there is: {', '.join(files)}" if files else "there is none yet"
        base = next((other for other in FAMILIES if name in self._files(other)), None)
        if base is not None:
            raise InvalidRequest(
                "vae",
                f"VAE '{name:.60}' is for {FAMILIES[base].name} and {model} is {FAMILIES[family].name}; "
                f"for that {there}.",
            )
        raise InvalidRequest("vae", f"There is no VAE '{name:.60}' for {model} here; {there}.")

    def _files(self, family: ModelFamily) -> dict[str, Path]:
        found = [] if self.folder is None else sorted((self.folder / family.value).glob("*.safetensors"))
        return {file.stem.removesuffix(".vae"): file for file in found}
