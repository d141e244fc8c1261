"""pyproject.toml, each extra included, against constraints.txt: nothing that can be installed is left to chance."""

import tomllib
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from typing import Final

import pytest
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import NormalizedName, canonicalize_name
from packaging.version import Version

from tests.docs.pages import ROOT

PROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS: Final[dict[str, list[str]]] = {"": PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
PINS: Final = {
    canonicalize_name(name): Version(version)
    for name, version in (line.split("==") for line in (ROOT / "constraints.txt").read_text().split())
}
CUDA: Final = ("nvidia-", "cuda-", "triton")
"""What torch itself fixes, to the last digit, where it is built for CUDA."""


@cache
def asked_by(requirement: Requirement) -> list[Requirement]:
    """What the installed package of a requirement asks for in turn; nothing where it is not installed."""
    try:
        lines = distribution(requirement.name).requires or []
    except PackageNotFoundError:
        return []
    return [each for each in map(Requirement, lines) if applies(each.marker, requirement.extras)]


def applies(marker: Marker | None, extras: set[str]) -> bool:
    environment = default_environment()
    return marker is None or any(
        marker.evaluate({**environment, "extra": extra})  # type: ignore[dict-item]  # its own keys are typed, extra is not
        for extra in extras or {""}
    )


def all_asked(lines: list[str]) -> list[tuple[str, Requirement]]:
    """Each requirement, with who asks for it, of these lines and of all that they pull in."""
    waiting = [("pyproject.toml", Requirement(line)) for line in lines]
    found, seen = [], set[tuple[NormalizedName, frozenset[str]]]()
    while waiting:
        asker, requirement = waiting.pop()
        found.append((asker, requirement))
        key = (canonicalize_name(requirement.name), frozenset(requirement.extras))
        if key not in seen:
            seen.add(key)
            waiting += [(requirement.name, each) for each in asked_by(requirement)]
    return found


@pytest.mark.parametrize("extra", EXTRAS)
def test_all_that_an_extra_pulls_in_has_a_version_that_suits_all(extra: str) -> None:
    """The same one for every extra, so that each installs beside the rest."""
    asked = [
        (asker, each)
        for asker, each in all_asked(EXTRAS[extra])
        if not each.name.startswith(CUDA) and each.name != "limner"
    ]
    unpinned = {each.name for _, each in asked if canonicalize_name(each.name) not in PINS}
    wrong = [
        f"{asker} wants {each}, not {PINS[canonicalize_name(each.name)]}"
        for asker, each in asked
        if canonicalize_name(each.name) in PINS
        and not each.specifier.contains(PINS[canonicalize_name(each.name)], prereleases=True)
    ]

    assert unpinned == set()
    assert wrong == []


def test_nothing_is_pinned_that_nothing_asks_for() -> None:
    """A pin without a reason is what an old dependency left behind."""
    asked = {canonicalize_name(each.name) for lines in EXTRAS.values() for _, each in all_asked(lines)}

    assert set(PINS) - asked == set()
