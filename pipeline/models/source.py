"""Where a model's weights are: embedded, a folder, one checkpoint file, or a repository on the Hugging Face Hub."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, assert_never

import huggingface_hub as hub

from pipeline.errors import UserError
from pipeline.models.base_configs import pull_base_configs
from pipeline.models.hub_errors import hub_errors_in_words
from pipeline.models.metadata import ModelFacts, folder_family, read_facts
from pipeline.models.model_files import is_unaveraged

EMBEDDED: Final = "pocket"
_EMBEDDED_FOLDER: Final = Path(__file__).parents[1] / EMBEDDED
_HUB_NAME: Final = re.compile(r"(?P<repository>[\w.-]+/[\w.-]+)(@(?P<revision>[\w./-]+))?", re.ASCII)
_PICKLES: Final = frozenset({".ckpt", ".pt", ".pth", ".bin"})
_COMPONENTS: Final = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")


class ModelMissing(UserError):
    """A model is not where it should be: it may be pulled, or the disk that holds it mounted."""

    passes = True


class SourceKind(StrEnum):
    """The four places that a model's name can mean."""

    EMBEDDED = "embedded"
    FOLDER = "folder"
    CHECKPOINT = "checkpoint"
    HUB = "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSource:
    """A model by its place: `location` is a path or a Hub repository, `revision` a branch, tag or commit there."""

    kind: SourceKind
    location: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> "ModelSource":
        """What a model's name means; nothing is looked up.

        Args:
            text: the value of LIMNER_MODEL, or a request's model.

        Returns:
            The source.

        Raises:
            UserError: the text is no name, or that of a pickle, which can run code.
        """
        text = text.strip()
        path = Path(text).expanduser()
        if text == EMBEDDED:
            return cls(kind=SourceKind.EMBEDDED, location=EMBEDDED)
        if path.suffix in _PICKLES:
            raise UserError(f"Model '{text}' is a pickle, which can run code; use its .safetensors version.")
        if path.suffix == ".safetensors":
            return cls(kind=SourceKind.CHECKPOINT, location=str(path))
        if text.startswith(("/", "./", "../", "~")) or (text and path.is_dir()):
            return cls(kind=SourceKind.FOLDER, location=str(path))
        if match := _HUB_NAME.fullmatch(text):
            return cls(kind=SourceKind.HUB, location=match["repository"], revision=match["revision"])
        raise UserError(
            f"Model '{text}' is not known; use '{EMBEDDED}', a folder, a .safetensors file or a Hugging Face id."
        )

    def __str__(self) -> str:
        """The text that `parse` turns into this source again.

        Returns:
            The location, with the revision where there is one.
        """
        return f"{self.location}@{self.revision}" if self.revision else self.location

    @property
    def name(self) -> str:
        """A short name for people: `pocket`, the folder's or file's own name, the repository's id."""
        match self.kind:
            case SourceKind.EMBEDDED | SourceKind.HUB:
                return self.location
            case SourceKind.FOLDER:
                return Path(self.location).name
            case SourceKind.CHECKPOINT:
                return Path(self.location).stem
            case never:
                assert_never(never)

    def local_path(self) -> Path:
        """Where the model is on this machine.

        Returns:
            A diffusers folder, or one file.

        Raises:
            UserError: it is not here.
        """
        match self.kind:
            case SourceKind.EMBEDDED:
                return self._existing(_EMBEDDED_FOLDER, "reinstall Limner, whose package carries it")
            case SourceKind.FOLDER | SourceKind.CHECKPOINT:
                return self._existing(Path(self.location), "check LIMNER_MODEL")
            case SourceKind.HUB:
                return self._snapshot()
            case never:
                assert_never(never)

    def facts(self) -> ModelFacts:
        """Family, native size and defaults, read without torch.

        Returns:
            The facts.

        Raises:
            UserError: the model is not here, or cannot be served.
        """
        return read_facts(self.name, self.local_path())

    def pull(self) -> Path:
        """Download what is missing of the model's safetensors, configs and tokenizers.

        Returns:
            Where the model is.

        Raises:
            UserError: it cannot be downloaded, holds no safetensors, or would be refused when it is loaded.
        """
        with hub_errors_in_words(str(self)):
            if self.kind is SourceKind.CHECKPOINT:
                pull_base_configs(self.facts().family)
            if self.kind is not SourceKind.HUB:
                return self.local_path()
            info = hub.HfApi().model_info(self.location, revision=self.revision)
            files = _needed_files([sibling.rfilename for sibling in info.siblings or ()])
            configs = [name for name in files if not name.endswith(".safetensors")]
            # A model that is refused by its configs need not be downloaded first.
            folder_family(self.name, self._downloaded(info.sha, configs))
            return self._downloaded(info.sha, files)

    def _downloaded(self, revision: str | None, files: list[str]) -> Path:
        return Path(hub.snapshot_download(self.location, revision=revision, allow_patterns=files))

    def _existing(self, path: Path, advice: str) -> Path:
        if not path.exists():
            raise ModelMissing(f"Model '{self}' is not at {path}; {advice}.")
        return path

    def _snapshot(self) -> Path:

        try:
            return Path(hub.snapshot_download(self.location, revision=self.revision, local_files_only=True))
        except hub.errors.LocalEntryNotFoundError:
            raise ModelMissing(f"Model '{self}' is not on this machine yet; run: limner models pull {self}") from None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredModel:
    """A model that is on this machine: its text for LIMNER_MODEL, its folder, its size in bytes."""

    source: ModelSource
    path: Path
    size: int


def stored_models() -> list[StoredModel]:
    """The models on this machine.

    Returns:
        The embedded one and every diffusers model in the Hugging Face cache, each by its pinned commit.
    """
    embedded = ModelSource(kind=SourceKind.EMBEDDED, location=EMBEDDED)
    size = sum(file.stat().st_size for file in _EMBEDDED_FOLDER.rglob("*") if file.is_file())
    models = [StoredModel(source=embedded, path=_EMBEDDED_FOLDER, size=size)] if size else []
    try:
        repositories = hub.scan_cache_dir().repos
    except hub.errors.CacheNotFound:
        return models
    for repository in sorted(repositories, key=lambda repository: repository.repo_id):
        for revision in repository.revisions:
            if (revision.snapshot_path / "model_index.json").exists():
                source = ModelSource(kind=SourceKind.HUB, location=repository.repo_id, revision=revision.commit_hash)
                models.append(StoredModel(source=source, path=revision.snapshot_path, size=revision.size_on_disk))
    return models


def _needed_files(files: list[str]) -> list[str]:
    """The files of a repository that serving needs: no pickles, and half-precision weights where there are both."""
    needed = [name for name in files if name == "model_index.json"]
    for component in _COMPONENTS:
        own = [name for name in files if name.startswith(f"{component}/")]
        weights = [name for name in own if name.endswith(".safetensors") and not is_unaveraged(name)]
        halves = [name for name in weights if ".fp16" in name]
        needed += halves or weights
        needed += [name for name in own if name.endswith((".json", ".txt"))]
    if not any(name.startswith("unet/") for name in needed):
        raise UserError("This repository holds no diffusers model with safetensors weights; choose another.")
    return needed
