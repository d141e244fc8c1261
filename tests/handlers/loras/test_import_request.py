"""An order to add a LoRA."""

import pytest

from handlers.loras.import_request import LORA_ORDER, LoraOrder
from pipeline.lora.format.scale_rule import ScaleRule
from pipeline.requests.image_request import LoraUse


@pytest.mark.parametrize(
    ("order", "title"),
    [
        (LoraOrder(key="k", link="https://example.org/x"), "Add the LoRA https://example.org/x"),
        (LoraOrder(key="k", blob="b", file_name="wax.safetensors"), "Add the LoRA wax.safetensors"),
        (LoraOrder(key="k", blob="b", file_name="wax.safetensors", name="crayon"), "Add the LoRA crayon"),
        (LoraOrder(key="k", link="x" * 300), ("Add the LoRA " + "x" * 300)[:200]),
    ],
)
def test_it_is_called_by_the_best_name_that_is_known(order: LoraOrder, title: str) -> None:
    assert order.title == title


def test_an_order_comes_back_whole() -> None:
    parts = (LoraUse(key="a", name="film", scale=0.5, text_encoder_scale=0.2),)
    order = LoraOrder(key="k", name="set", private=True, scale_rule=ScaleRule.PEFT, parts=parts)

    assert LORA_ORDER.read(LORA_ORDER.write(order)) == order
