"""/subject export: who gets the file, and what is asked of the exporter."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.context import AppContext
from handlers.commands.permissions import NotAllowed
from handlers.context.lora_exporter import LoraExporter
from handlers.context.served_model import ServedModel
from handlers.loras.subject_export import COMMAND
from pipeline.errors import InvalidRequest, UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.layout import LoraLayout
from storage.guilds.guilds import Guild
from tests.app_contexts import FACTS, CallCommand
from tests.handlers.exports import CONFIGS, EXPORTED, FakeExport, trained


@pytest.fixture
def export() -> FakeExport:
    return FakeExport()


@pytest.fixture
def context(context: AppContext, tmp_path: Path, export: FakeExport) -> AppContext:
    bases = [ServedModel(facts=FACTS, model=CONFIGS, configs=CONFIGS)]
    bases.append(replace(bases[0], facts=replace(FACTS, family=ModelFamily.SD15), configs=Path("others")))
    return replace(context, exporting=LoraExporter(folder=tmp_path, bases=lambda: bases, export=export))


@pytest.mark.parametrize("layout", LoraLayout)
async def test_its_owner_gets_the_file_alone(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path, export: FakeExport, layout: LoraLayout
) -> None:
    """In the layout that was asked for, by a model of its own family."""
    lora = await trained(context, guild, tmp_path)

    answer = await call("subject export", name="rex", layout=layout.value)

    (file,) = answer.files
    assert (file.file_name, file.data) == (f"rex-{layout}.safetensors", EXPORTED)
    assert answer.private
    assert COMMAND.private
    assert any("j dog" in line for line in answer.lines)
    (order,) = export.orders
    assert (order.source, order.layout, order.configs) == (tmp_path / f"{lora.key}.safetensors", layout, [CONFIGS])
    assert (order.title, order.trigger, order.resolution) == ("rex", "j dog", FACTS.width)
    assert not order.target.exists(), "what was handed out is not kept twice"
    with pytest.raises(NotAllowed, match="another member's"):
        await call("subject export", member="bob", name="rex")


async def test_what_cannot_be_handed_out_is_refused(
    call: CallCommand, context: AppContext, guild: Guild, tmp_path: Path, export: FakeExport
) -> None:
    """A LoRA that is no subject; a file past what members may hand over; what the exporter refuses."""
    await trained(context, guild, tmp_path)
    await trained(context, guild, tmp_path, "crayon", subject=False)

    with pytest.raises(InvalidRequest, match="'crayon' is no subject"):
        await call("subject export", name="crayon")
    export.refusal = "Another model by now."
    with pytest.raises(UserError, match=r"Another model by now\."):
        await call("subject export", name="rex")
