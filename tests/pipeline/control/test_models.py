"""The nets of a model: found by kind, refused by name, held within a budget."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.control import models
from pipeline.engine.engine import Engine
from pipeline.requests.device_messages import Refused, Rendered
from tests.pipeline.conftest import SPEC, a_request
from tests.pipeline.control.ready_maps import control, last_word


def test_a_control_that_is_not_here_is_refused_by_name(controls: Path) -> None:
    """With those that are."""
    refused = last_word(Engine(replace(SPEC, controls=controls)), a_request(controls=(control("pose", image="edge"),)))

    assert isinstance(refused, Refused)
    assert refused.sentence == (
        "There is no control 'pose' for pocket here; there is: "
        "color, depth, edge, lineart, luminance, qr, scribble, softedge, tile. An admin can add one."
    )


def test_pocket_follows_edges_by_itself() -> None:
    """Without anything that an admin would have to add."""
    drawn = last_word(Engine(SPEC), a_request(steps=1, controls=(control(image="scene", ready=False),)))

    assert isinstance(drawn, Rendered)


def test_a_control_for_another_base_is_refused(controls: Path, tmp_path: Path) -> None:
    """Before anything of it is loaded, and only where no other that fits reads its kind."""
    (tmp_path / "sdxl").mkdir()
    for kind in ("edge", "depth"):
        (tmp_path / "sdxl" / kind).symlink_to(controls / "sd15" / kind)
    engine = Engine(replace(SPEC, controls=tmp_path))

    refused = last_word(engine, a_request(controls=(control("depth"),)))

    assert isinstance(refused, Refused)
    assert refused.sentence == (
        "The control 'depth' here was made for another base than pocket; an admin can replace it."
    )
    assert isinstance(last_word(engine, a_request(steps=1, controls=(control("edge"),))), Rendered)


def test_controls_beyond_the_budget_are_released(controls: Path) -> None:
    """The least recently used first; images go on."""
    engine = Engine(replace(SPEC, controls=controls, control_bytes=1))

    for kind in ("edge", "depth", "edge"):
        assert isinstance(last_word(engine, a_request(steps=1, controls=(control(kind),))), Rendered)
        held = engine._cache.loaded["pocket"].controls._nets
        assert [folder.name for folder in held] == [kind]


def test_controls_of_one_request_may_be_more_than_the_budget(controls: Path) -> None:
    """The last of them does not push the first out."""
    both = (control("edge"), control("depth"))

    drawn = last_word(Engine(replace(SPEC, controls=controls, control_bytes=1)), a_request(steps=1, controls=both))

    assert isinstance(drawn, Rendered)


def test_one_net_may_read_several_kinds(controls: Path, tmp_path: Path) -> None:
    """As its folder's name says; it is kept once."""
    (tmp_path / "sdxl").mkdir()
    (tmp_path / "sdxl" / "edge+depth").symlink_to(controls / "sdxl" / "edge")
    engine = Engine(replace(SPEC, controls=tmp_path))

    for kind in ("edge", "depth"):
        assert isinstance(last_word(engine, a_request(steps=1, controls=(control(kind),))), Rendered)

    assert len(engine._cache.loaded["pocket"].controls._nets) == 1


def test_a_control_that_there_is_no_memory_for_is_refused_in_a_sentence(
    controls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a device as in the host's memory."""

    def greedy(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 5 GiB")

    monkeypatch.setattr(models, "load_module", greedy)

    refused = last_word(Engine(replace(SPEC, controls=controls)), a_request(controls=(control("depth"),)))

    assert isinstance(refused, Refused)
    assert refused.sentence == (
        "There is not enough memory to load the control 'depth'; "
        "ask for a smaller picture or fewer controls, or try again later."
    )
