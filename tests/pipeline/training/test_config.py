"""A plan checks itself, and says which field breaks which limit."""

import math

import pytest

from pipeline.errors import InvalidRequest
from pipeline.training.config import TrainingConfig


@pytest.mark.parametrize(
    ("changes", "field", "sentence"),
    [
        ({"instance_prompt": " "}, "instance prompt", "The instance prompt is empty"),
        ({"class_prompt": ""}, "class prompt", "The class prompt is empty"),
        ({"steps": 0}, "steps", "use 1 to 20000"),
        ({"rank": 257}, "rank", "use 1 to 256"),
        ({"class_images": 0}, "class images", "use 1 to 1000"),
        ({"average": 1.0}, "average", "use 0 to 0.99999"),
        ({"cooldown": 1.5}, "cooldown", "use 0 to 1"),
        ({"learning_rate": math.nan}, "learning rate", "use 0 to 10"),
        ({"text_learning_rate": -1.0}, "text learning rate", "use 0 to 10"),
    ],
)
def test_each_limit_has_its_sentence(changes: dict[str, object], field: str, sentence: str) -> None:
    fields: dict[str, object] = {"instance_prompt": "j dog", "class_prompt": "dog", "steps": 10}
    with pytest.raises(InvalidRequest, match=sentence) as caught:
        TrainingConfig(model="pocket", area=4096, seed=0, **{**fields, **changes})  # type: ignore[arg-type]  # by name
    assert caught.value.field == field
