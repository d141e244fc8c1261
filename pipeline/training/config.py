"""What a training is to do: the words, the method and every number that decides the weights."""

from dataclasses import dataclass
from enum import StrEnum

from pipeline.errors import InvalidRequest, check_range


class Method(StrEnum):
    """What is trained: low-rank changes beside frozen weights, or all weights of the UNet."""

    LORA = "lora"
    FULL = "full"


class Preservation(StrEnum):
    """What keeps the class as it was: images of it, made by the untrained model, or that model's own answers."""

    NONE = "none"
    CLASS_IMAGES = "class images"
    OUTPUT = "output"


class OptimizerKind(StrEnum):
    """Who turns gradients into steps; the 8-bit one needs CUDA."""

    ADAMW = "adamw"
    ADAMW_8BIT = "adamw-8bit"
    PRODIGY = "prodigy"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """One training, after Ruiz et al., 2023 (DreamBooth; arXiv 2208.12242).

    `instance_prompt` holds the rare token ("sks dog"), `class_prompt` does not ("dog"). `area` is the width times
    height in pixels at which images are learnt. `steps` is the most that are made; one step sees `batch` images,
    `accumulation` times. `snr_gamma` is that of Hang et al., 2023 (arXiv 2303.09556), None for plain errors; a
    `velocity_floor` adds one to the weights of a model of velocities, as diffusers' scripts do and the paper does
    not. `rank` and `alpha` are a LoRA's, `convolutions` lets it change those as well, `dora` learns a gain for each
    output beside it (Liu et al., 2024; arXiv 2402.09353). `average` is how much of the running mean of the weights
    stays at each step, 0 for none. Over the last `cooldown` of the steps, 0 to 1, the learning rate falls to
    nothing in a line. Every `look_every` steps the loss on fixed inputs is measured, which ends the training once
    it `settles`; every `keep_every` the weights are kept as a candidate. `templates` turn a prompt into those of
    the samples, the first into itself. Raises InvalidRequest, naming the field and its limit.
    """

    model: str
    instance_prompt: str
    class_prompt: str
    area: int
    steps: int
    seed: int
    method: Method = Method.LORA
    text_encoders: bool = False
    rank: int = 16
    alpha: float = 16.0
    dora: bool = False
    convolutions: bool = False
    preservation: Preservation = Preservation.CLASS_IMAGES
    preservation_weight: float = 1.0
    class_images: int = 24
    optimizer: OptimizerKind = OptimizerKind.ADAMW
    learning_rate: float = 1e-4
    text_learning_rate: float = 5e-6
    weight_decay: float = 1e-2
    cooldown: float = 0.0
    largest_gradient: float = 1.0
    batch: int = 1
    accumulation: int = 1
    snr_gamma: float | None = 5.0
    velocity_floor: bool = True
    noise_offset: float = 0.0
    average: float = 0.0
    flips: bool = False
    gradient_checkpointing: bool = False
    look_every: int = 25
    keep_every: int = 50
    settles: bool = True
    templates: tuple[str, ...] = ("{}", "{} on a beach", "{} in the snow", "an oil painting of {}")

    def __post_init__(self) -> None:
        for field, prompt in (("instance prompt", self.instance_prompt), ("class prompt", self.class_prompt)):
            if not prompt.strip():
                raise InvalidRequest(field, f"The {field} is empty; say what the pictures show.")
        check_range("steps", self.steps, 1, 20_000)
        check_range("rank", self.rank, 1, 256)
        check_range("batch", self.batch, 1, 64)
        check_range("accumulation", self.accumulation, 1, 64)
        check_range("class images", self.class_images, 1, 1000)
        check_range("preservation weight", self.preservation_weight, 0, 100)
        check_range("noise offset", self.noise_offset, 0, 1)
        check_range("average", self.average, 0, 0.99999)
        check_range("cooldown", self.cooldown, 0, 1)
        for field, rate in (("learning rate", self.learning_rate), ("text learning rate", self.text_learning_rate)):
            check_range(field, rate, 0, 10)
