"""Who runs next: requests that may share one denoiser call sit in one group, and groups take turns. No torch."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What must be equal for two rows to meet in one call: the checkpoint and the latent size."""

    checkpoint: str
    height: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchKey:
    """A group: rows of one shape, padded to `bucket` rows.

    The bucket is part of the key because a picture's last bits depend on the number of rows in a call, and on nothing
    else of its neighbours: so it is fixed for a picture's whole life.
    """

    shape: Shape
    bucket: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A request that waits for a seat: its `rows` are 2 with guidance, else 1; `bucket` is set where it insists."""

    ticket: str
    shape: Shape
    rows: int
    bucket: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One denoiser call: the tickets in the order of their rows."""

    key: BatchKey
    tickets: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    bucket: int
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def free(self) -> int:
        return self.bucket - sum(self.rows.values())


class Batching:
    """Seats for requests, first come first served within a shape, in turn between groups."""

    def __init__(self, max_rows: int) -> None:
        self._max_rows = max_rows
        self._waiting: deque[Candidate] = deque()
        self._groups: dict[BatchKey, _Group] = {}
        self._limits: dict[Shape, int] = {}

    def __contains__(self, ticket: str) -> bool:
        return any(candidate.ticket == ticket for candidate in self._waiting) or self.key_of(ticket) is not None

    def enter(self, candidate: Candidate) -> None:
        """Take a request in; it gets its seat from `seat`."""
        self._waiting.append(candidate)

    def leave(self, ticket: str) -> None:
        """Free what the request held, its seat or its place in the line."""
        self._waiting = deque(candidate for candidate in self._waiting if candidate.ticket != ticket)
        for key, group in list(self._groups.items()):
            if group.rows.pop(ticket, 0) and not group.rows:
                del self._groups[key]

    def key_of(self, ticket: str) -> BatchKey | None:
        """The group in which the request sits; None while it waits."""
        return next((key for key, group in self._groups.items() if ticket in group.rows), None)

    def seat(self) -> list[str]:
        """Give free seats to those who wait; returns the tickets that have just got one."""
        seated: list[str] = []
        full: set[Shape] = set()
        for candidate in list(self._waiting):
            if candidate.shape in full:
                continue
            if (key := self._choose(candidate)) is None:
                full.add(candidate.shape)
                continue
            self._groups.setdefault(key, _Group(key.bucket)).rows[candidate.ticket] = candidate.rows
            self._waiting.remove(candidate)
            seated.append(candidate.ticket)
        return seated

    def next(self) -> Batch | None:
        """The group whose turn it is, which then goes to the end of the line; None if nobody has a seat."""
        if not self._groups:
            return None
        key = next(iter(self._groups))
        group = self._groups.pop(key)
        self._groups[key] = group
        return Batch(key=key, tickets=tuple(group.rows))

    def halve(self, key: BatchKey) -> bool:
        """Remember that a call of `key` does not fit, and seat its requests in one of half the rows.

        Those who find no seat there wait at the head of the line. False if no single request would fit.
        """
        rows = self._groups[key].rows
        limit = key.bucket // 2
        if limit < min(rows.values()):
            return False
        del self._groups[key]
        self._limits[key.shape] = min(limit, self._limit(key.shape))
        back = [Candidate(ticket=ticket, shape=key.shape, rows=count) for ticket, count in rows.items()]
        self._waiting.extendleft(reversed(back))
        return True

    def _limit(self, shape: Shape) -> int:
        return self._limits.get(shape, self._max_rows)

    def _choose(self, candidate: Candidate) -> BatchKey | None:
        taken = sum(key.bucket - group.free for key, group in self._open(candidate.shape))
        if taken and taken + candidate.rows > self._limit(candidate.shape):
            return None
        if candidate.bucket is not None:
            return self._asked_for(candidate, candidate.bucket)
        roomy = [(key, group) for key, group in self._open(candidate.shape) if group.free >= candidate.rows]
        # A group that would stay more than half empty is left to drain: padding it costs more than a smaller one.
        busy = [key for key, group in roomy if 2 * (key.bucket - group.free + candidate.rows) >= key.bucket]
        if busy:
            return max(busy, key=lambda key: key.bucket)
        return self._new_key(candidate) or max((key for key, _ in roomy), key=lambda key: key.bucket, default=None)

    def _asked_for(self, candidate: Candidate, bucket: int) -> BatchKey | None:
        """The group of the size that a request insists on, so far as it fits in memory."""
        fitting = min(bucket, self._limits.get(candidate.shape, bucket))
        key = BatchKey(shape=candidate.shape, bucket=max(fitting, candidate.rows))
        group = self._groups.get(key)
        return key if group is None or group.free >= candidate.rows else None

    def _new_key(self, candidate: Candidate) -> BatchKey | None:
        """A new group just large enough for all who wait for this shape, unless there is one of that size."""
        limit = max(self._limit(candidate.shape), candidate.rows)
        waiting = sum(other.rows for other in self._waiting if other.shape == candidate.shape and not other.bucket)
        taken = {key.bucket for key, _ in self._open(candidate.shape)}
        sizes = (size for size in BUCKETS if size not in taken and min(waiting, limit) <= size <= limit)
        bucket = next(sizes, None)
        return None if bucket is None else BatchKey(shape=candidate.shape, bucket=bucket)

    def _open(self, shape: Shape) -> Iterator[tuple[BatchKey, _Group]]:
        return ((key, group) for key, group in self._groups.items() if key.shape == shape)
