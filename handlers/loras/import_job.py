"""What a worker does for /lora add: fetch or take the file, import it apart, put it into the guild's library."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from handlers.context.lora_quota import LoraQuota
from handlers.context.served_model import ServedModel
from handlers.jobs.preparation import Progress
from handlers.loras.import_request import LORA_ORDER, LoraOrder
from handlers.loras.merge_job import Merge, merged
from pipeline.errors import UserError
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.lora.importing.import_process import Order
from pipeline.lora.importing.report import ImportReport
from pipeline.lora.sources.fetched import FetchedFile
from pipeline.lora.sources.keys import SourceKeys
from pipeline.requests.image_request import MAX_SEED, ImageRequest, LoraUse
from storage.blobs import BlobStore
from storage.guilds.source_credentials import SourceKeyStore
from storage.library.loras import Lora, NewLora
from storage.queue.jobs import Job

_UNFIT: Final = re.compile(r"[^a-z0-9]+")


Fetch = Callable[[str, Path, SourceKeys, Progress], Awaitable[FetchedFile]]
"""Puts the file of a link into a folder, which is the caller's own and empty; raises UserError."""

Import = Callable[[Order], Awaitable[ImportReport]]
"""Imports a file; raises UserError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoraAdding:
    """The preparation of JobKind.ADD_LORA; `folder` holds canonical files, `bases` the default model first."""

    room: LoraQuota
    keys: SourceKeyStore
    blobs: BlobStore
    fetch: Fetch
    folder: Path
    bases: Sequence[ServedModel]
    importer: Callable[[], AbstractAsyncContextManager[Import]]
    merge: Merge

    async def __call__(self, job: Job, progress: Progress) -> ImageRequest:
        """Add what the job orders, unless an earlier attempt did; returns an image that shows it."""
        order = LORA_ORDER.read(job.payload)
        lora = await self.room.loras.with_key(job.guild_id, order.key) or await self._add(job, order, progress)
        facts = next(base.facts for base in self.bases if base.facts.family is lora.base_family)
        own = lora.sampling or facts.sampling
        return ImageRequest(
            prompt=lora.trigger_words or lora.name,
            width=facts.width,
            height=facts.height,
            steps=own.steps,
            guidance_scale=facts.guidance_scale if own.guidance_scale is None else own.guidance_scale,
            scheduler=own.scheduler,
            spacing=own.spacing,
            seed=job.id % MAX_SEED,
            model=facts.name,
            loras=(LoraUse(key=lora.key, name=lora.name, scale=lora.scale),),
        )

    async def _add(self, job: Job, order: LoraOrder, progress: Progress) -> Lora:
        incoming, target = self.folder / "incoming" / order.key, self.folder / f"{order.key}.safetensors"
        await self.room.check(job.guild_id)
        if order.name is not None:
            await self.room.check_name(job.guild_id, job.member_id, order.name, private=order.private)
        await asyncio.to_thread(_empty, incoming)
        try:
            if order.parts:
                new = await merged(job, order, self.room, self.folder, self.merge)
            else:
                # Where none waits, its start takes longer than most imports, so it begins with the download.
                async with self.importer() as importer:
                    fetched = await self._fetched(job, order, incoming, progress)
                    new = await self._imported_from(fetched, job, order, importer)
            await self.room.check(job.guild_id, new.size)
            return await self.room.loras.add(new)
        except UserError:
            target.unlink(missing_ok=True)
            raise
        finally:
            await asyncio.to_thread(shutil.rmtree, incoming, ignore_errors=True)

    async def _fetched(self, job: Job, order: LoraOrder, incoming: Path, progress: Progress) -> FetchedFile:
        if order.link is not None:
            return await self.fetch(order.link, incoming, await self.keys.get(job.guild_id), progress)
        path, source = incoming / "file.safetensors", await self.blobs.file(order.blob or "")
        await asyncio.to_thread(shutil.copyfile, source, path)
        size = (await asyncio.to_thread(path.stat)).st_size
        return FetchedFile(path=path, size=size, sha256=order.blob or "", file_name=order.file_name, title="", page="")

    async def _imported_from(self, fetched: FetchedFile, job: Job, order: LoraOrder, importer: Import) -> NewLora:
        target = self.folder / f"{order.key}.safetensors"
        word = order.name or _name(fetched)
        report = await self._imported(fetched, target, replace(order, name=word), importer)
        free = order.name or await self.room.free_name(job.guild_id, job.member_id, word, private=order.private)
        size = (await asyncio.to_thread(target.stat)).st_size
        return _new_lora(job, replace(order, name=free), fetched, report, size)

    async def _imported(self, fetched: FetchedFile, target: Path, wanted: LoraOrder, importer: Import) -> ImportReport:
        """Import for the first model that it fits; raises the refusal of the default model.

        The name that is `wanted` calls for a textual inversion that has no name of its own.
        """
        refusals: list[UserError] = []
        for base in self.bases:
            order = Order(
                source=fetched.path,
                target=target,
                configs=base.configs,
                family=base.facts.family,
                word=wanted.name or "",
                scale_rule=wanted.scale_rule,
                adapter_config=fetched.adapter_config,
                base_model=fetched.base_model or "",
                title=f"{fetched.title} {fetched.file_name}",
                alpha=wanted.alpha,
            )
            try:
                return await importer(order)
            except UserError as refusal:
                refusals.append(refusal)
        raise refusals[0]


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _new_lora(job: Job, order: LoraOrder, fetched: FetchedFile, report: ImportReport, size: int) -> NewLora:
    return NewLora(
        guild_id=job.guild_id,
        name=order.name or _name(fetched),
        owner_id=job.member_id,
        base_family=report.family,
        key=order.key,
        size=size,
        trigger_words=", ".join(_words(fetched, report)),
        metadata="\n".join(_facts(fetched, report)),
        sampling=report.sampling,
        hashes=(report.sha256, report.data_sha256),
        private=order.private,
    )


def _name(fetched: FetchedFile) -> str:
    """A name that can stand in a prompt, from what the source calls the file."""
    words = fetched.title or fetched.file_name.removesuffix(".safetensors")
    return _UNFIT.sub("-", words.casefold()).strip("-")[:32].strip("-") or "lora"


def _words(fetched: FetchedFile, report: ImportReport) -> dict[str, None]:
    """Trigger words, those of textual inversions first: without them a prompt has no use for their vectors."""
    triggers = [embedding.trigger for embedding in report.embeddings]
    return dict.fromkeys((*triggers, *(fetched.trigger_words or report.trigger_words)))


def _facts(fetched: FetchedFile, report: ImportReport) -> list[str]:
    low, high = report.ranks
    rank = "" if not high else f" · rank {low}" if low == high else f" · ranks {low} to {high}"
    rule = "" if report.scale_rule is ScaleRule.LINEAR else f" · scaled as by {report.scale_rule}"
    vectors = ", ".join(f"{embedding.trigger} ({embedding.vectors})" for embedding in report.embeddings)
    return [
        f"Made for {fetched.base_model or report.family.value} · {', '.join(report.algorithms)}{rank}{rule}",
        *([f"Words with vectors of their own: {vectors}"] if vectors else []),
        f"{report.matched} layers matched · {report.size / 2**20:.1f} MB · SHA-256 {report.sha256}",
        f"Licence: {fetched.licence or report.licence or 'not stated'} · rating: {fetched.rating or 'not stated'}",
        *([f"From {fetched.page}"] if fetched.page else []),
        *report.notes,
    ]
