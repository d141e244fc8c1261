"""The scheduler's settings of Stable Diffusion."""

from typing import Any, Final

CONFIG: Final[dict[str, Any]] = {
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "beta_schedule": "scaled_linear",
    "num_train_timesteps": 1000,
}
