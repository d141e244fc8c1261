"""A LoRA of the library as a file for other programs."""

from dataclasses import replace
from pathlib import Path

import pytest

from handlers.commands.context import AppContext
from handlers.context.lora_exporter import LoraExporter
from handlers.context.served_model import ServedModel
from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.layout import LoraLayout
from storage.guilds.guilds import Guild
from storage.library.loras import Lora
from tests.app_contexts import FACTS
from tests.handlers.exports import CONFIGS, EXPORTED, FakeExport, trained


@pytest.fixture
async def lora(context: AppContext, guild: Guild, tmp_path: Path) -> Lora:
    return await trained(context, guild, tmp_path)


def exporter(folder: Path, family: ModelFamily = ModelFamily.SDXL) -> LoraExporter:
    base = ServedModel(facts=replace(FACTS, family=family), model=CONFIGS, configs=CONFIGS)
    return LoraExporter(folder=folder, bases=lambda: [base], export=FakeExport())


async def test_a_file_may_have_as_many_bytes_as_the_limit(lora: Lora, tmp_path: Path) -> None:
    assert await exporter(tmp_path)(lora, LoraLayout.KOHYA, len(EXPORTED)) == EXPORTED
    with pytest.raises(UserError, match=r"'rex' is 0\.0 MB; at most 0 MB"):
        await exporter(tmp_path)(lora, LoraLayout.KOHYA, len(EXPORTED) - 1)


async def test_a_model_of_its_family_has_to_be_here(lora: Lora, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no longer here"):
        await exporter(tmp_path, ModelFamily.SD15)(lora, LoraLayout.KOHYA, 10**9)


async def test_its_file_has_to_be_here(lora: Lora, tmp_path: Path) -> None:
    (tmp_path / f"{lora.key}.safetensors").unlink()

    with pytest.raises(UserError, match="no longer here"):
        await exporter(tmp_path)(lora, LoraLayout.KOHYA, 10**9)
