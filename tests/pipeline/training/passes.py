"""One pass through a model that is trained."""

import torch
from torch import Tensor

from pipeline.training.model import TrainedModel


def answer(model: TrainedModel, *, grad: bool = False) -> Tensor:
    noisy = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.set_grad_enabled(grad):
        words = model.words("a dog").rows(2)
        return model.answer(noisy, torch.tensor([5, 500]), words, torch.full((2, 6), 64.0))
