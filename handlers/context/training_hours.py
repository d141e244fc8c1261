"""The hours of the day in which trainings run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Self

ALL_DAY: Final = "0-24"


def machine_time() -> datetime:
    """Now, in the time zone of this machine."""
    return datetime.now().astimezone()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingHours:
    """From the hour `first` up to the hour `last`, 0 to 24; over midnight where `last` is no later."""

    first: int = 0
    last: int = 24
    clock: Callable[[], datetime] = machine_time

    @classmethod
    def parse(cls, text: str, clock: Callable[[], datetime] = machine_time) -> Self:
        """The hours of a setting such as "22-6"."""
        first, _, last = text.partition("-")
        return cls(first=int(first), last=int(last), clock=clock)

    @property
    def are_now(self) -> bool:
        """Whether a training may run."""
        hour = self.clock().hour
        if self.first < self.last:
            return self.first <= hour < self.last
        return hour >= self.first or hour < self.last

    @property
    def words(self) -> str:
        """What a member is told of them; nothing where trainings run at any time."""
        if self.last - self.first in (0, 24):
            return ""
        return f"Trainings run here between {self.first}:00 and {self.last}:00 only."
