"""An import in a process of its own, with a memory limit and a deadline: a hostile file costs one sentence."""

from asyncio.subprocess import Process
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from pipeline.families.family import ModelFamily
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.header import FileLimits
from pipeline.lora.importing.report import Embedding, ImportReport
from pipeline.processes.child import ask, running
from pipeline.requests.image_request import Scheduler
from pipeline.requests.sampling import Sampling
from pipeline.requests.spacing import Spacing

_PROGRAM: Final = "pipeline.lora.importing.import_program"
_LARGEST: Final = FileLimits().bytes
_BROKEN: Final = "This file cannot be read as a LoRA; download it again, or add another version of it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildLimits:
    """What one import may cost: `memory` in bytes beyond what an idle process has, and `seconds` of real time."""

    memory: int = 4 * 1024**3
    seconds: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order to import the file `source` for the model that the folder `configs` describes.

    `word` activates a textual inversion that has no name of its own; `largest` is the size of a file in bytes;
    `adapter_config` is the text of the PEFT configuration beside it, `base_model` and `title` are its page's words, and
    `alpha` is the member's, for a file that says none; `scale_rule` is whose program it follows at scales other than 1.
    """

    source: Path
    target: Path
    configs: Path
    family: ModelFamily
    word: str = ""
    largest: int = _LARGEST
    adapter_config: str | None = None
    base_model: str = ""
    title: str = ""
    alpha: float | None = None
    scale_rule: ScaleRule = ScaleRule.LINEAR


async def import_apart(order: Order, limits: ChildLimits, child: Process | None = None) -> ImportReport:
    """Import a file in a child process.

    Args:
        order: what to do; its file `target` is there afterwards.
        limits: of the child's memory and time.
        child: one that `importing` started, and that has had no order yet; None starts one.

    Returns:
        What is in the file.

    Raises:
        UserError: one sentence why it cannot be done.
    """
    own = importing(order.configs, order.family) if child is None else nullcontext(child)
    async with own as asked:
        answer = await ask(asked, asdict(order), seconds=limits.seconds, broken=_BROKEN, memory=limits.memory)
    return _report(answer["report"])


def importing(configs: Path, family: ModelFamily) -> AbstractAsyncContextManager[Process]:
    """A child process that prepares itself for an import, as `running`.

    Args:
        configs: the folder that describes the model that the import will be for.
        family: of the model.

    Returns:
        A context whose block has the process.
    """
    return running(_PROGRAM, str(configs), family)


def _report(report: dict[str, Any]) -> ImportReport:
    return ImportReport(
        **report
        | {
            "family": ModelFamily(report["family"]),
            "embeddings": tuple(Embedding(**embedding) for embedding in report["embeddings"]),
            "scale_rule": ScaleRule(report["scale_rule"]),
            "ranks": (report["ranks"][0], report["ranks"][1]),
            "sampling": None if (own := report["sampling"]) is None else _sampling(own),
        }
        | {name: tuple(report[name]) for name in ("algorithms", "trigger_words", "notes")}
    )


def _sampling(own: dict[str, Any]) -> Sampling:
    return Sampling(**own | {"scheduler": Scheduler(own["scheduler"]), "spacing": Spacing(own["spacing"])})
