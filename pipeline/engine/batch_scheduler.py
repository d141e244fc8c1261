"""Which requests run next: those that may share one denoiser call form a group, and groups take turns. No torch."""

from collections import deque
from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

from pipeline.requests.batch_key import BatchKey, Shape
from pipeline.requests.device_spec import MIN_ROWS

BUCKETS: Final = (1, 2, 4, 8, 16, 32, 64)


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingRequest:
    """A request that waits for a slot.

    `rows` are those of `ImageRequest.rows`; `pages` is what its LoRAs take, and `own_weights` whether they need those.
    `bucket` is set where it requires a group of that many rows, and then of exactly as many pages, with own weights or
    without; `compiled` where it requires a compiled forward, which it gets if there is one, or an eager one.
    """

    ticket: str
    shape: Shape
    rows: int
    pages: int = 0
    own_weights: bool = False
    bucket: int | None = None
    compiled: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """Where a request runs: its group, and its rows there."""

    key: BatchKey
    rows: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One denoiser call: every request of a group."""

    key: BatchKey
    tickets: tuple[str, ...]


@dataclass(slots=True)
class _Group:
    bucket: int
    slots: dict[str, tuple[int, ...]] = field(default_factory=dict)

    @property
    def taken(self) -> int:
        return sum(map(len, self.slots.values()))

    @property
    def free(self) -> int:
        return self.bucket - self.taken

    def assign(self, ticket: str, rows: int) -> None:
        taken = {row for slot in self.slots.values() for row in slot}
        self.slots[ticket] = tuple(row for row in range(self.bucket) if row not in taken)[:rows]


class BatchScheduler:
    """Slots for requests: first come, first served within a shape, and in turn between groups.

    Args:
        max_rows: the most rows of a group.
        rows_worth: for a shape, the rows beyond which a call gains no speed; memory may allow fewer.
        compiles: whether a new group of these sizes can run compiled.
        page_rows: for a checkpoint, the rows that all its groups may have together, each counted once for each page of
            LoRAs; memory has no room for more.
    """

    def __init__(
        self,
        max_rows: int,
        rows_worth: Callable[[Shape], int] | None = None,
        compiles: Callable[[BatchKey], bool] | None = None,
        page_rows: Callable[[str], int] | None = None,
    ) -> None:
        self._max_rows = max_rows
        self._rows_worth = rows_worth or (lambda _: max_rows)
        self._compiles = compiles or (lambda _: False)
        self._page_rows = page_rows
        self._waiting: deque[WaitingRequest] = deque()
        self._groups: dict[BatchKey, _Group] = {}
        self._limits: dict[Shape, int] = {}
        self._incoming: Mapping[Shape, int] = {}

    def __contains__(self, ticket: str) -> bool:
        return any(candidate.ticket == ticket for candidate in self._waiting) or self.slot_of(ticket) is not None

    @property
    def keys(self) -> frozenset[BatchKey]:
        """The groups that hold a request."""
        return frozenset(self._groups)

    def tickets(self, key: BatchKey) -> tuple[str, ...]:
        """The requests of a group.

        Args:
            key: one of `keys`.

        Returns:
            Their tickets, in the order in which they joined.
        """
        return tuple(self._groups[key].slots)

    def enter(self, candidate: WaitingRequest) -> None:
        """Take a request in; `assign` gives it its slot.

        Args:
            candidate: waits behind all that came before.
        """
        self._waiting.append(candidate)

    def leave(self, ticket: str) -> None:
        """Free what a request holds: its slot, or its place in the line.

        Args:
            ticket: of the request; an unknown one is ignored.
        """
        self._waiting = deque(candidate for candidate in self._waiting if candidate.ticket != ticket)
        for key, group in list(self._groups.items()):
            if group.slots.pop(ticket, None) and not group.slots:
                del self._groups[key]

    def slot_of(self, ticket: str) -> Slot | None:
        """The slot of a request.

        Args:
            ticket: of the request.

        Returns:
            None while it waits.
        """
        for key, group in self._groups.items():
            if ticket in group.slots:
                return Slot(key=key, rows=group.slots[ticket])
        return None

    def assign(self, incoming: Mapping[Shape, int] = MappingProxyType({})) -> dict[str, Slot]:
        """Give free slots to waiting requests.

        Args:
            incoming: the rows of each shape that will soon wait too, so that new groups leave room for them.

        Returns:
            The slots that were given now, by ticket.
        """
        self._incoming = incoming
        given: dict[str, Slot] = {}
        full: set[Shape] = set()
        for candidate in list(self._waiting):
            if candidate.shape in full:
                continue
            if (key := self._choose(candidate)) is None:
                full.add(candidate.shape)
                continue
            group = self._groups.setdefault(key, _Group(key.bucket))
            group.assign(candidate.ticket, candidate.rows)
            self._waiting.remove(candidate)
            given[candidate.ticket] = Slot(key=key, rows=group.slots[candidate.ticket])
        return given

    def next(self) -> Batch | None:
        """The group whose turn it is, which then goes to the end of the line.

        Returns:
            None if no request has a slot.
        """
        if not self._groups:
            return None
        key = next(iter(self._groups))
        group = self._groups.pop(key)
        self._groups[key] = group
        return Batch(key=key, tickets=tuple(group.slots))

    def halve(self, key: BatchKey) -> bool:
        """React to a call that did not fit in memory: its group is dissolved, and its shape gets at most half the rows
        from now on.

        Args:
            key: the group; its requests wait for new slots at the head of the line.

        Returns:
            False, with nothing changed, where half the rows would not hold a single request.
        """
        slots = self._groups[key].slots
        limit = key.bucket // 2
        if limit < min(map(len, slots.values())):
            return False
        del self._groups[key]
        self._limits[key.shape] = min(limit, self._limit(key.shape))
        kind = None if key.compiled else False
        back = [
            WaitingRequest(
                ticket=ticket,
                shape=key.shape,
                rows=len(rows),
                pages=key.pages,
                own_weights=key.own_weights,
                compiled=kind,
            )
            for ticket, rows in slots.items()
        ]
        self._waiting.extendleft(reversed(back))
        return True

    def _limit(self, shape: Shape) -> int:
        return min(self._limits.get(shape, self._max_rows), max(MIN_ROWS, self._rows_worth(shape)))

    def _choose(self, candidate: WaitingRequest) -> BatchKey | None:
        taken = sum(group.taken for key, group in self._groups.items() if key.shape == candidate.shape)
        if taken and taken + candidate.rows > self._limit(candidate.shape):
            return None
        if candidate.bucket is not None:
            return self._asked_for(candidate, candidate.bucket)
        hosts = {key: group for key, group in self._groups.items() if _may_host(key, candidate)}
        roomy = [key for key, group in hosts.items() if group.free >= candidate.rows]
        # A group that would stay more than half empty is left to drain: padding it costs more than a smaller one.
        expected = self._expected(candidate.shape)
        busy = [key for key in roomy if 2 * (hosts[key].taken + expected) >= key.bucket]
        if busy:
            return max(busy, key=lambda key: key.bucket)
        return self._new_key(candidate, hosts) or max(roomy, key=lambda key: key.bucket, default=None)

    def _free_to_choose(self, shape: Shape) -> list[WaitingRequest]:
        return [other for other in self._waiting if other.shape == shape and not other.bucket]

    def _expected(self, shape: Shape) -> int:
        """The rows that wait for a group of `shape` or soon will."""
        return sum(other.rows for other in self._free_to_choose(shape)) + self._incoming.get(shape, 0)

    def _asked_for(self, candidate: WaitingRequest, bucket: int) -> BatchKey | None:
        """The group of the size that a request requires, or of the largest that fits in memory."""
        fitting = min(bucket, self._limits.get(candidate.shape, bucket))
        sizes = BatchKey(
            shape=candidate.shape,
            bucket=max(fitting, candidate.rows),
            pages=candidate.pages,
            own_weights=candidate.own_weights,
        )
        key = replace(sizes, compiled=candidate.compiled is True and self._compiles(sizes))
        if (group := self._groups.get(key)) is not None:
            return key if group.free >= candidate.rows else None
        if (room := self._room(candidate, candidate.pages)) >= key.bucket:
            return key
        # Beside other groups it waits for its size; alone it gets the largest that there is room for.
        return None if self._page_rows_taken(candidate.shape) else replace(key, bucket=room)

    def _new_key(self, candidate: WaitingRequest, hosts: Container[BatchKey]) -> BatchKey | None:
        """A new group just large enough for all that wait for this shape; None if there is one of that size."""
        others = self._free_to_choose(candidate.shape)
        pages, own = _size(max(other.pages for other in others)), any(other.own_weights for other in others)
        room = self._room(candidate, pages)
        if room < candidate.rows:
            return None
        limit = max(min(self._limit(candidate.shape), room), _size(candidate.rows))
        wanted = min(self._expected(candidate.shape), limit)
        for bucket in BUCKETS:
            sizes = BatchKey(shape=candidate.shape, bucket=bucket, pages=pages, own_weights=own)
            key = replace(sizes, compiled=candidate.compiled is not False and self._compiles(sizes))
            if wanted <= bucket <= limit and key not in hosts:
                return key
        return None

    def _room(self, candidate: WaitingRequest, pages: int) -> int:
        """The rows of the largest new group whose LoRAs fit beside those of the open ones; where there are none, at
        least the candidate's own, which would otherwise wait for ever.
        """
        if not pages or self._page_rows is None:
            return BUCKETS[-1]
        taken = self._page_rows_taken(candidate.shape)
        rows = (self._page_rows(candidate.shape.checkpoint) - taken) // pages
        room = max((bucket for bucket in BUCKETS if bucket <= rows), default=0)
        return room if taken else max(room, candidate.rows)

    def _page_rows_taken(self, shape: Shape) -> int:
        return sum(key.bucket * key.pages for key in self._groups if key.shape.checkpoint == shape.checkpoint)


def _may_host(key: BatchKey, candidate: WaitingRequest) -> bool:
    fits = key.shape == candidate.shape and key.pages >= candidate.pages
    fits = fits and key.own_weights >= candidate.own_weights
    return fits and not (key.compiled and candidate.compiled is False)


def _size(count: int) -> int:
    """The power of two that holds so many pages or rows; 0 for none."""
    return 1 << (count - 1).bit_length() if count else 0
