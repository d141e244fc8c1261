"""The error of a denoiser's answers, as diffusers' DreamBooth scripts define it."""

from torch import Tensor


def row_errors(answers: Tensor, targets: Tensor, masks: Tensor | None = None) -> Tensor:
    """The mean squared error of each row (rows,); where `masks` (rows, 1, height, width) is 0 nothing counts."""
    errors = (answers.float() - targets.float()).square()
    if masks is None:
        return errors.flatten(1).mean(dim=1)
    covered = masks.expand_as(errors).flatten(1)
    return (errors.flatten(1) * covered).sum(dim=1) / covered.sum(dim=1).clamp(min=1.0)


def preserving_loss(errors: Tensor, weights: Tensor, preservation_weight: float) -> Tensor:
    """The mean of the first rows' errors, each by its own of the `weights`, plus the plain mean of the class's rows.

    Only the instances are weighted, and by their own timesteps alone: diffusers once took the class's in as well (its
    pull request 6356).
    """
    instances = len(weights)
    loss = (errors[:instances] * weights).mean()
    if instances < len(errors):
        loss = loss + preservation_weight * errors[instances:].mean()
    return loss
