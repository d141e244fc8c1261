"""One denoising step of a batch: where the call fails, it is found out whose fault it is."""

import logging
from collections.abc import Callable, Sequence

from pipeline.engine.engine_request import EngineJob
from pipeline.memory import is_out_of_memory
from pipeline.requests.batch_key import BatchKey

_log = logging.getLogger(__name__)


def advance(jobs: Sequence[EngineJob], key: BatchKey) -> dict[str, Exception] | None:
    """One call for all jobs of a group; one that fails is repeated by halves, in the same rows.

    Args:
        jobs: those of the group.
        key: of the group.

    Returns:
        By its ticket why a job fails even by itself; None if there was not memory enough for the call.
    """
    try:
        return {} if fits(lambda: _call(jobs, key)) else None
    except Exception as error:
        _log.exception("a step failed for %s", ", ".join(job.ticket for job in jobs))
        return _failures(jobs, key, error)


def _failures(jobs: Sequence[EngineJob], key: BatchKey, error: Exception) -> dict[str, Exception]:
    """Which of `jobs`, whose call failed with `error`, fail by themselves; the others have made their step."""
    if len(jobs) == 1:
        return {jobs[0].ticket: error}
    failures: dict[str, Exception] = {}
    middle = len(jobs) // 2
    for half in (jobs[:middle], jobs[middle:]):
        try:
            _call(half, key)
        except Exception as cause:
            failures |= _failures(half, key, cause)
    return failures


def _call(jobs: Sequence[EngineJob], key: BatchKey) -> None:
    jobs[0].model.advance(key, [job.started for job in jobs])


def fits(work: Callable[[], None]) -> bool:
    """Do something that may need more memory than there is.

    Args:
        work: raises what says so.

    Returns:
        False if there was not memory enough for it.

    Raises:
        RuntimeError: something else went wrong.
        MemoryError: never.
    """
    try:
        work()
    except (RuntimeError, MemoryError) as error:
        if is_out_of_memory(error):
            return False
        raise
    return True
