"""The tiers of the suite: `make fast`, `make test`, `make soak`.

A test that needs a real process, a database server, a model or real time is marked `slow`; those of PostgreSQL and what
speaks to a platform over sockets are marked here, and a module that imports torch needs no mark. `--fast` leaves all of
them out, and fails whatever starts a process or loads torch all the same, so that the fast tier stays fast. `soak`
marks what takes long: `make test` leaves it out.
"""

import sys
from collections.abc import Generator
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

SERVER: Final = "postgres_server"
REAL_TIME: Final = tuple(Path(__file__).parent / name for name in ("journeys", "wire"))
TORCH_FREE: Final = tuple(Path(__file__).parent / name for name in ("bot", "handlers", "storage"))
"""As the folders of the program that they mirror: here no module may import torch."""

_STARTS: Final = {"subprocess.Popen", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "os.exec"}
_AT_WORK: Final = pytest.StashKey["Guard"]()

# A deadline would only tell how busy the machine is.
settings.register_profile("suite", deadline=None)
settings.register_profile("soak", max_examples=2000, deadline=None)
settings.load_profile("suite")


def examples(usual: int) -> int:
    """How often a property that costs much is tried: `usual` times, and as many times more in a soak as any other."""
    now = settings.default
    assert now is not None, "hypothesis has a profile at any time"
    return usual * now.max_examples // settings.get_profile("suite").max_examples


class Guard:
    """Sees to it that nothing starts a process or loads torch while a test is collected or run."""

    def __init__(self) -> None:
        self.collecting: Path | None = None
        self.running = False
        self.seen: list[str] = []
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[object, ...]) -> None:
        if event == "import":
            if arguments[0] == "torch":
                self._torch()
        elif event in _STARTS and self.running:
            self._forbid(f"{event} {arguments[0]!r}")

    def _torch(self) -> None:
        if self.running:
            self._forbid("import torch")
        elif self.collecting is not None:
            if any(self.collecting.is_relative_to(folder) for folder in TORCH_FREE):
                raise ImportError(f"{self.collecting} may not import torch")
            pytest.skip("loads torch; make test runs it", allow_module_level=True)

    def _forbid(self, what: str) -> None:
        self.seen.append(what)
        raise PermissionError(f"{what}: not in a fast test; mark it: slow")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fast", action="store_true", help="only what needs no process, no database server, no model")


def pytest_configure(config: pytest.Config) -> None:
    if config.getoption("--fast"):
        config.stash[_AT_WORK] = Guard()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs the PostgreSQL server or real time; leave out what is not fast, where that is asked."""
    for item in items:
        if isinstance(item, pytest.Function) and (_needs_server(item) or _in_real_time(item)):
            item.add_marker(pytest.mark.slow)
    if config.getoption("--fast"):
        slow = [item for item in items if any(item.iter_markers("slow")) or any(item.iter_markers("soak"))]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in set(slow)]


def _in_real_time(item: pytest.Function) -> bool:
    return any(item.path.is_relative_to(folder) for folder in REAL_TIME)


def _needs_server(item: pytest.Function) -> bool:
    """Whether it asks for the server, or for a database of that kind among others."""
    asked = item.callspec.params.values() if hasattr(item, "callspec") else ()
    return SERVER in item.fixturenames or "postgres" in asked


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    guard = collector.config.stash.get(_AT_WORK, None)
    if guard is None or not isinstance(collector, pytest.Module):
        return (yield)
    guard.collecting = collector.path
    try:
        return (yield)
    finally:
        guard.collecting = None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    guard = item.config.stash.get(_AT_WORK, None)
    if guard is None:
        return (yield)
    guard.running = True
    try:
        return (yield)
    finally:
        guard.running = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, None, None]:
    """Fail also where the program took the refusal in its stride."""
    yield
    guard = item.config.stash.get(_AT_WORK, None)
    if guard is not None and guard.seen:
        seen, guard.seen = guard.seen, []
        pytest.fail(f"Not in a fast test: {', '.join(seen)}; mark it: slow", pytrace=False)
