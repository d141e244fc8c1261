"""What is said of a request after a step, with the files that are due."""

from dataclasses import dataclass, replace

from pipeline.engine.engine_request import EngineJob
from pipeline.engine.numbers_check import NumbersCheck
from pipeline.engine.previews import Preview
from pipeline.engine.snapshot import Snapshot
from pipeline.requests.device_messages import Stepped
from pipeline.requests.device_spec import DeviceSpec
from pipeline.samplers.sampler import Sampler


@dataclass(frozen=True, slots=True, kw_only=True)
class StepReport:
    """A step that was made, and the preview and the snapshot of it where they are due, on their way to the host.

    `numbers` are checked with either: what is lost is not made to its end.
    """

    step: Stepped
    numbers: NumbersCheck | None
    preview: Preview | None
    snapshot: Snapshot | None

    @classmethod
    def of(cls, job: EngineJob, spec: DeviceSpec) -> "StepReport":
        """The report of a request as it is now.

        Args:
            job: after a step.
            spec: says how often previews and snapshots are due.

        Returns:
            Later steps do not change it.
        """
        sampler = job.started.sampler
        has_preview, has_snapshot = _is_due(sampler, spec.preview_every), _is_due(sampler, spec.snapshot_every)
        return cls(
            step=Stepped(ticket=job.ticket, step=sampler.progress, steps=job.request.steps_made),
            numbers=job.model.check(job.started) if has_preview or has_snapshot else None,
            preview=job.model.preview(job.started) if has_preview else None,
            snapshot=Snapshot.of(job.started, job.group) if has_snapshot else None,
        )

    @property
    def has_files(self) -> bool:
        """Whether `event` has files to write."""
        return self.preview is not None or self.snapshot is not None

    def event(self) -> Stepped:
        """The event, with its files written; on any thread.

        Returns:
            To be said.

        Raises:
            UserError: there are no numbers any more.
        """
        if self.numbers is not None:
            self.numbers.confirm()
        preview = None if self.preview is None else self.preview.jpeg()
        snapshot = None if self.snapshot is None else self.snapshot.to_bytes()
        return replace(self.step, preview=preview, snapshot=snapshot)


def _is_due(sampler: Sampler, every: int) -> bool:
    return bool(every) and sampler.progress % every == 0 and sampler.progress > 0 and not sampler.finished
