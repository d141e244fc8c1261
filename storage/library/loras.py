"""A guild's LoRAs: what it calls them and which canonical file each one is.

Every query is bound to a guild, and those that find a LoRA to a member too: a private LoRA exists for its owner alone,
and others can give its name to theirs.
"""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from pipeline.errors import InvalidRequest
from pipeline.families.family import ModelFamily
from pipeline.requests.image_request import MAX_LORA_SCALE
from pipeline.requests.sampling import Sampling
from storage.database import Database
from storage.library.lora_facts import LoraFacts
from storage.tables import loras

_HASH_DIGITS: Final = 12
_LEAST_DIGITS: Final = 8
_SHA_256: Final = re.compile(r"SHA-256 ([0-9a-f]{64})", re.ASCII)
"""In the cards of LoRAs that were added before hashes were kept."""

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLora:
    """A LoRA to add: `key` finds its canonical file, `size` is that file's in bytes; `metadata` is shown by /lora info.

    `scale` is what a request that names none gets; a `private` one is there for its owner alone; a `subject`
    was trained here by /train subject. `sampling` is what a distillation wants, `hashes` are of the file that was
    imported, of all of it and of its data, by which other programs name it. Raises InvalidRequest for a name or a
    scale that is not allowed.
    """

    guild_id: int
    name: str
    owner_id: str
    base_family: ModelFamily
    key: str
    size: int
    scale: float = 1.0
    trigger_words: str = ""
    metadata: str = ""
    sampling: Sampling | None = None
    hashes: tuple[str, ...] = ()
    private: bool = False
    subject: bool = False

    def __post_init__(self) -> None:
        check_name(self.name)
        check_scale(self.scale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lora(NewLora):
    """A LoRA of a guild's library; `created_at` is in Unix seconds of the wall clock."""

    id: int
    created_at: float

    @property
    def short_hash(self) -> str:
        """What AUTOMATIC1111 knows its file by: the first digits of its data's hash; empty where that is unknown."""
        return self.hashes[-1][:_HASH_DIGITS] if self.hashes else ""

    def is_file(self, digest: str) -> bool:
        """Whether it was imported from the file that has the hash `digest`, or one that begins so."""
        known = (*self.hashes, *_SHA_256.findall(self.metadata))
        return len(digest) >= _LEAST_DIGITS and any(own.startswith(digest.lower()) for own in known)


def new_key(guild_id: int) -> str:
    """A name for a canonical file that no other guild's request can hold or guess."""
    return f"{guild_id}-{secrets.token_hex(16)}"


def training_key(key: str) -> str:
    """The key that the training of `key` was ordered with: its checkpoints are called key-100 and so on.

    A LoRA that was not trained has no other key than its own.
    """
    return "-".join(key.split("-")[:2])


def check_name(name: str) -> None:
    """Raise InvalidRequest unless `name` can stand in a prompt and on a command line."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            "name",
            f"'{name[:40]}' cannot be a LoRA's name; use up to 32 letters a-z, digits, dots, dashes or underscores.",
        )


def check_scale(scale: float) -> None:
    """Raise InvalidRequest for a scale out of range."""
    if not abs(scale) <= MAX_LORA_SCALE:
        raise InvalidRequest("scale", f"scale is {scale:g}; use {-MAX_LORA_SCALE:g} to {MAX_LORA_SCALE:g}.")


class LoraStore:
    """The libraries of all guilds."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, new: NewLora) -> Lora:
        """Adds a LoRA; raises InvalidRequest if there is one of that name already."""
        row = {**asdict(new), "base_family": new.base_family.value, "created_at": self._database.clock.wall()}
        row["scope"] = _scope(new.owner_id, row.pop("private"))
        del row["sampling"], row["hashes"]
        row["metadata"] = LoraFacts(card=new.metadata, sampling=new.sampling, hashes=new.hashes).write()
        try:
            async with self._database.write() as connection:
                return _lora((await connection.execute(insert(loras).values(row).returning(*loras.c))).one())
        except IntegrityError:
            raise name_taken(new.name) from None

    async def is_free(self, guild_id: int, owner_id: str, name: str, *, private: bool) -> bool:
        """Whether `add` would take the name now."""
        taken = loras.c.scope == _scope(owner_id, private), loras.c.name == name
        async with self._database.read() as connection:
            query = select(loras.c.id).where(loras.c.guild_id == guild_id, *taken)
            return (await connection.execute(query)).one_or_none() is None

    async def get(self, guild_id: int, member_id: str, name: str) -> Lora | None:
        """The LoRA that the member means by `name`, in any case: their own private one before the guild's; or None."""
        query = select(loras).where(*_visible(guild_id, member_id), loras.c.name == name.strip().lower())
        async with self._database.read() as connection:
            row = (await connection.execute(query.order_by(loras.c.scope.desc()).limit(1))).one_or_none()
        return None if row is None else _lora(row)

    async def with_key(self, guild_id: int, key: str) -> Lora | None:
        """The guild's LoRA whose file is called `key`, or one of a training ordered with that key; or None."""
        named = or_(loras.c.key == key, loras.c.key.startswith(f"{key}-", autoescape=True))
        query = select(loras).where(loras.c.guild_id == guild_id, named)
        async with self._database.read() as connection:
            row = (await connection.execute(query)).one_or_none()
        return None if row is None else _lora(row)

    async def owned(self, guild_id: int, owner_id: str) -> tuple[Lora, ...]:
        """What the member has added, oldest first."""
        query = select(loras).where(loras.c.guild_id == guild_id, loras.c.owner_id == owner_id).order_by(loras.c.id)
        async with self._database.read() as connection:
            return tuple(_lora(row) for row in await connection.execute(query))

    async def search(
        self,
        guild_id: int,
        member_id: str,
        typed: str = "",
        limit: int = 25,
        offset: int = 0,
        *,
        subjects: bool = False,
    ) -> tuple[Lora, ...]:
        """The LoRAs that the member can use whose name contains `typed`, by name; with `subjects` only subjects."""
        wanted = [
            loras.c.name.contains(typed.strip().lower(), autoescape=True),
            *([loras.c.subject] if subjects else []),
        ]
        query = select(loras).where(*_visible(guild_id, member_id), *wanted).order_by(loras.c.name, loras.c.id)
        async with self._database.read() as connection:
            return tuple(_lora(row) for row in await connection.execute(query.limit(limit).offset(offset)))

    async def trigger_words(self, guild_id: int) -> frozenset[str]:
        """Every word that calls any of the guild's LoRAs, private ones too: no word may mean two things."""
        query = select(loras.c.trigger_words).where(loras.c.guild_id == guild_id)
        async with self._database.read() as connection:
            texts = (await connection.scalars(query)).all()
        return frozenset(word for text in texts for word in re.findall(r"[\w-]+", text.casefold()))

    async def used_bytes(self, guild_id: int) -> int:
        """How much the guild's files take."""
        query = select(func.coalesce(func.sum(loras.c.size), 0)).where(loras.c.guild_id == guild_id)
        async with self._database.read() as connection:
            return int((await connection.execute(query)).scalar_one())

    async def rename(self, lora: Lora, new_name: str) -> bool:
        """Gives a LoRA another name; False if it is gone. Raises InvalidRequest as `add` does."""
        check_name(new_name)
        return await self._change(lora, {"name": new_name}, new_name)

    async def set_scale(self, lora: Lora, scale: float) -> bool:
        """Sets what a request that names no scale gets; False if the LoRA is gone."""
        check_scale(scale)
        return await self._change(lora, {"scale": scale}, lora.name)

    async def set_private(self, lora: Lora, private: bool) -> bool:
        """Gives a LoRA to the guild, or to its owner alone; False if it is gone. Raises as `add` does."""
        return await self._change(lora, {"scope": _scope(lora.owner_id, private)}, lora.name)

    async def set_weights(self, lora: Lora, key: str, metadata: str) -> bool:
        """Lets the LoRA be another file with a metadata of its own; False if it is gone."""
        return await self._change(lora, {"key": key, "metadata": metadata}, lora.name)

    async def retrain(self, lora: Lora, new: NewLora) -> bool:
        """Replaces a subject's weights by those of another training, keeping name and scale; False if it is gone."""
        if not lora.subject:
            return False
        values = {"key": new.key, "size": new.size, "trigger_words": new.trigger_words, "metadata": new.metadata}
        return await self._change(lora, {**values, "base_family": new.base_family.value}, lora.name)

    async def remove(self, lora: Lora) -> bool:
        """Takes a LoRA out of its library; False if it is gone. Its file goes with the next sweep."""
        async with self._database.write() as connection:
            return (await connection.execute(delete(loras).where(*_this(lora)))).rowcount == 1

    async def _change(self, lora: Lora, values: Mapping[str, object], name: str) -> bool:
        try:
            async with self._database.write() as connection:
                return (await connection.execute(update(loras).where(*_this(lora)).values(values))).rowcount == 1
        except IntegrityError:
            raise name_taken(name) from None


_SHARED: Final = ""


def _visible(guild_id: int, member_id: str) -> tuple[ColumnElement[bool], ...]:
    return loras.c.guild_id == guild_id, loras.c.scope.in_((_SHARED, member_id))


def _this(lora: Lora) -> tuple[ColumnElement[bool], ...]:
    return loras.c.guild_id == lora.guild_id, loras.c.id == lora.id


def _scope(owner_id: str, private: bool) -> str:
    return owner_id if private else _SHARED


def name_taken(name: str) -> InvalidRequest:
    """What to say where another LoRA has the name."""
    return InvalidRequest("name", f"This server has a LoRA '{name}' already; choose another name or remove that one.")


def _lora(row: Any) -> Lora:
    values = {field.name: getattr(row, field.name) for field in fields(Lora) if field.name in loras.c}
    facts = LoraFacts.read(row.metadata)
    own = {"metadata": facts.card, "sampling": facts.sampling, "hashes": facts.hashes, "private": row.scope != _SHARED}
    return Lora(**{**values, **own, "base_family": ModelFamily(row.base_family)})
