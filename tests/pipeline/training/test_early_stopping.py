"""A training ends once its loss on fixed inputs moves no more."""

from pipeline.training.early_stopping import EarlyStopping


def test_it_stops_once_its_loss_has_settled() -> None:
    falling = [1 / (1 + step) for step in range(8)]
    assert not EarlyStopping(losses=falling[:6]).settled
    assert not EarlyStopping(losses=[1 - step / 20 for step in range(13)]).settled  # as steep as ever
    assert EarlyStopping(losses=[*falling, *[0.1, 0.1001] * 4]).settled
