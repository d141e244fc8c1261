"""A call that is captured the second time: what runs where nothing can be captured yet."""

from functools import partial

import torch

from pipeline.engine.compile.captured_call import CapturedCall


def test_another_signature_runs_plainly() -> None:
    """Each begins again, with its own call's result; tests/gpu has the graphs themselves."""
    captured = CapturedCall(pool=None)
    calls = []

    def call(number: int) -> torch.Tensor:
        calls.append(number)
        return torch.full((2,), float(number))

    results = [captured(signature, partial(call, number)) for number, signature in enumerate("abab")]

    assert calls == [0, 1, 2, 3]
    assert [result[0].item() for result in results] == [0, 1, 2, 3]
