"""Whatever an image's last bits depend on keeps groups apart."""

from dataclasses import replace

import pytest

from pipeline.requests.batch_key import BatchKey, Shape

SHAPE = Shape(checkpoint="pocket", height=8, width=8)
KEY = BatchKey(shape=SHAPE, bucket=4)


@pytest.mark.parametrize(
    "other",
    [
        replace(KEY, shape=replace(SHAPE, checkpoint="sd15")),
        replace(KEY, shape=replace(SHAPE, height=16)),
        replace(KEY, shape=replace(SHAPE, width=16)),
        replace(KEY, shape=replace(SHAPE, windows=2)),
        replace(KEY, bucket=8),
        replace(KEY, pages=1),
        replace(KEY, compiled=True),
    ],
)
def test_a_difference_in_anything_is_another_group(other: BatchKey) -> None:
    """And equal keys are one."""
    assert len({KEY, BatchKey(shape=replace(SHAPE), bucket=4), other}) == 2
