"""A stretch of a device's time is as long as what was done in it, whenever it is read."""

import torch

from pipeline.models.device_timer import Span


def test_a_stretch_ends_with_its_block() -> None:
    """What comes after it adds nothing, and what it holds is no longer than itself."""
    with Span(torch.device("cpu")) as outer:
        with Span(torch.device("cpu")) as inner:
            sum(range(1000))
        first = inner.seconds

    assert 0 < first == inner.seconds < outer.seconds
