"""The models that draw control maps: where on the Hugging Face Hub they lie, at which commit, and where here."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import huggingface_hub as hub

from pipeline.errors import InvalidRequest
from pipeline.models.hub_errors import hub_errors_in_words
from pipeline.requests.control import ControlKind

_FILES: Final = ["config.json", "model.safetensors"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HubModel:
    """A repository on the Hugging Face Hub at one commit."""

    repository: str
    revision: str


_DEPTH: Final = HubModel(
    repository="depth-anything/Depth-Anything-V2-Small-hf", revision="5426e4f0f36572d16453bbda7a8389317b1bef99"
)
_PERSONS: Final = HubModel(repository="hustvl/yolos-small", revision="3c013821d32f297b48bc16de696ab2e52336a1bd")
_POSE: Final = HubModel(
    repository="usyd-community/vitpose-base-simple", revision="f6e1613793fc8a9220d857bdc4b9fc23f79eafe9"
)
_SEGMENT: Final = HubModel(
    repository="openmmlab/upernet-convnext-tiny", revision="876ffc56b819a829448f7e81e9f8606deef6fb65"
)

MODELS: Final[Mapping[ControlKind, tuple[HubModel, ...]]] = {
    ControlKind.DEPTH: (_DEPTH,),
    ControlKind.NORMAL: (_DEPTH,),
    ControlKind.POSE: (_PERSONS, _POSE),
    ControlKind.SEGMENT: (_SEGMENT,),
}
"""The kinds whose maps a model draws, and the models that it takes. All are free for any use: Apache-2.0 and MIT."""

PULLED_AS: Final[Mapping[str, ControlKind]] = {f"control-{kind}": kind for kind in MODELS}
"""What is typed behind `limner models pull`."""


def pull_annotator(kind: ControlKind) -> tuple[Path, ...]:
    """Download what is missing of the models that draw a kind of map.

    Args:
        kind: one of MODELS.

    Returns:
        The folder of each model, in the order of MODELS.

    Raises:
        UserError: the Hub cannot be reached or does not give a file.
    """
    folders = []
    for model in MODELS[kind]:
        with hub_errors_in_words(model.repository):
            folders.append(hub.snapshot_download(model.repository, revision=model.revision, allow_patterns=_FILES))
    return tuple(map(Path, folders))


def annotator_folders(kind: ControlKind) -> tuple[Path, ...]:
    """The folders of the models that draw a kind of map; nothing is downloaded.

    Args:
        kind: one of MODELS.

    Returns:
        The folder of each model, in the order of MODELS.

    Raises:
        InvalidRequest: a model is not on this machine; the sentence says how an admin gets it.
    """
    try:
        return tuple(
            Path(hub.snapshot_download(model.repository, revision=model.revision, local_files_only=True))
            for model in MODELS[kind]
        )
    except hub.errors.LocalEntryNotFoundError:
        raise InvalidRequest(
            "control",
            f"A {kind} map cannot be made here before an admin runs: limner models pull control-{kind}; "
            "until then, attach a ready one and turn the option 'map' on.",
        ) from None
