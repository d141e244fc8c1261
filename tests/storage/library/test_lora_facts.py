"""What a LoRA's row keeps beside its columns."""

import pytest

from pipeline.requests.image_request import Scheduler
from pipeline.requests.sampling import Sampling
from storage.library.lora_facts import LoraFacts


@pytest.mark.parametrize(
    "facts",
    [
        LoraFacts(card=""),
        LoraFacts(card='Made for sdxl\n{"card":"x"}'),
        LoraFacts(card='{"card":', hashes=("ab",)),
        LoraFacts(
            card="é", sampling=Sampling(steps=4, guidance_scale=None, scheduler=Scheduler.LCM), hashes=("a", "b")
        ),
    ],
)
def test_what_is_written_is_read(facts: LoraFacts) -> None:
    """Whatever a card holds."""
    assert LoraFacts.read(facts.write()) == facts


def test_a_row_of_before_is_its_card() -> None:
    """And a new one without more is written as it was."""
    assert LoraFacts.read("Made for sdxl\nLicence: CC0") == LoraFacts(card="Made for sdxl\nLicence: CC0")
    assert LoraFacts(card="Made for sdxl").write() == "Made for sdxl"
