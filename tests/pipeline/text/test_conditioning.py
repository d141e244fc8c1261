"""One request's rows go into a batch's, and no other row changes."""

import torch

from pipeline.text.conditioning import Conditioning


def rows(count: int, *, sizes: bool) -> Conditioning:
    return Conditioning(
        states=torch.randn(count, 5, 3),
        pooled=torch.randn(count, 4) if sizes else None,
        time_ids=torch.randn(count, 6) if sizes else None,
    )


def test_rows_are_written_where_they_belong() -> None:
    own = rows(2, sizes=True)
    batch = own.empty(4)
    assert (own.rows, batch.rows) == (2, 4)

    batch.write((3, 1), own)

    for mine, theirs in ((batch.states, own.states), (batch.pooled, own.pooled), (batch.time_ids, own.time_ids)):
        assert mine is not None
        assert theirs is not None
        assert torch.equal(mine[[3, 1]], theirs)
        assert not mine[[0, 2]].any()


def test_what_a_family_does_not_read_stays_away() -> None:
    """SD 1.5 has neither pooled text nor sizes."""
    own = rows(1, sizes=False)
    batch = own.empty(2)

    batch.write((1,), own)

    assert batch.pooled is None
    assert batch.time_ids is None
    assert torch.equal(batch.states[1:], own.states)
