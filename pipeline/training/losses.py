"""The error of a denoiser's answers, as diffusers' DreamBooth scripts define it."""

from torch import Tensor


def row_errors(answers: Tensor, targets: Tensor, masks: Tensor | None = None) -> Tensor:
    """The mean squared error of each row.

    Args:
        answers: the denoiser's (rows, channels, height, width).
        targets: of the same shape.
        masks: (rows, 1, height, width): where they are 0 nothing counts; None counts all.

    Returns:
        (rows,), in float32.
    """
    errors = (answers.float() - targets.float()).square()
    if masks is None:
        return errors.flatten(1).mean(dim=1)
    covered = masks.expand_as(errors).flatten(1)
    return (errors.flatten(1) * covered).sum(dim=1) / covered.sum(dim=1).clamp(min=1.0)


def preserving_loss(errors: Tensor, weights: Tensor, preservation_weight: float) -> Tensor:
    """The weighted error of the instances plus that of the class.

    Only the instances are weighted, and by their own timesteps alone: diffusers once took the class's in as well (its
    pull request 6356).

    Args:
        errors: (rows,), the instances' first, then those of what preserves the class, if anything does.
        weights: (instances,), how much each counts.
        preservation_weight: how much the mean of the others counts, 0 to 100.

    Returns:
        A scalar.
    """
    instances = len(weights)
    loss = (errors[:instances] * weights).mean()
    if instances < len(errors):
        loss = loss + preservation_weight * errors[instances:].mean()
    return loss
