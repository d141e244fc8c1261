"""What the context looks up by name."""

from dataclasses import replace

import pytest

from handlers.commands.context import AppContext
from pipeline.errors import InvalidRequest


def test_the_first_model_is_the_default(context: AppContext) -> None:
    pocket = context.models[0]
    context = replace(context, models=(pocket, replace(pocket, name="large")))

    assert context.model(None) is pocket
    assert context.model("large").name == "large"
    with pytest.raises(
        InvalidRequest, match="model 'flux' is not served here; choose one of: pocket, large"
    ) as refusal:
        context.model("flux")
    assert refusal.value.field == "model"


def test_a_command_is_found_however_it_is_typed(context: AppContext) -> None:
    """Alone: words behind its name belong to a call, not to a name."""
    assert context.command("/Lora  ADD").name == "lora add"
    with pytest.raises(InvalidRequest, match="command"):
        context.command("imagine a fox")
