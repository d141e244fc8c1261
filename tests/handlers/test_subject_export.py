"""/subject export: who gets the file, and that it is what was taught."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load

from handlers.lora_adding import Base
from handlers.lora_exporting import LoraExporting
from handlers.permissions import NotAllowed
from handlers.studio import Studio
from handlers.subject_export import COMMAND
from pipeline.errors import InvalidRequest, UserError
from pipeline.lora_import.base_layers import LayerKind, skeleton
from pipeline.lora_import.canonical_writer import CanonicalWriter
from pipeline.lora_import.change import Factors
from pipeline.lora_layout import LoraLayout
from pipeline.model_facts import ModelFamily
from pipeline.model_source import EMBEDDED, ModelSource
from storage.guilds import Guild
from storage.loras import NewLora, new_key
from tests.studios import FACTS, CallCommand

POCKET = ModelSource.parse(EMBEDDED).local_path()


@pytest.fixture
def studio(studio: Studio, tmp_path: Path) -> Studio:
    bases = [Base(facts=FACTS, model=POCKET, configs=POCKET)]
    return replace(studio, exporting=LoraExporting(folder=tmp_path, bases=lambda: bases))


async def taught(studio: Studio, guild: Guild, folder: Path, name: str = "rex", *, subject: bool = True) -> None:
    """A subject with a file of one layer, all of whose numbers are 0.5."""
    layer = next(one for one in skeleton(POCKET, ModelFamily.SDXL).values() if one.name.endswith("attn1.to_q"))
    assert layer.kind is LayerKind.LINEAR
    key, writer = new_key(guild.id), CanonicalWriter(ModelFamily.SDXL)
    writer.add(layer.name, Factors(up=torch.full((layer.outputs, 2), 0.5), down=torch.full((2, layer.inputs), 0.5)))
    writer.save(folder / f"{key}.safetensors")
    await studio.loras.add(
        NewLora(
            guild_id=guild.id,
            name=name,
            owner_id="ada",
            base_family=ModelFamily.SDXL,
            key=key,
            size=1,
            trigger_words="j dog",
            subject=subject,
        )
    )


@pytest.mark.parametrize(("layout", "ending"), [("kohya", ".lora_up.weight"), ("diffusers", ".lora_B.weight")])
async def test_its_owner_gets_the_file_alone(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path, layout: str, ending: str
) -> None:
    await taught(studio, guild, tmp_path)

    answer = await call("subject export", name="rex", layout=layout)

    (file,) = answer.files
    assert answer.private
    assert COMMAND.private
    assert file.file_name == f"rex-{layout}.safetensors"
    assert any("j dog" in line for line in answer.lines)
    (up,) = [tensor for name, tensor in load(file.data).items() if name.endswith(ending)]
    assert up.shape[1] == 2
    with pytest.raises(NotAllowed, match="another member's"):
        await call("subject export", member="bob", name="rex")


async def test_what_cannot_be_handed_out_is_told(
    call: CallCommand, studio: Studio, guild: Guild, tmp_path: Path
) -> None:
    """A LoRA that is no subject, a file past the limit, a model that is gone, or another by now."""
    await taught(studio, guild, tmp_path)
    await taught(studio, guild, tmp_path, "crayon", subject=False)
    with pytest.raises(InvalidRequest, match="'crayon' is no subject"):
        await call("subject export", name="crayon")
    lora = await studio.loras.get(guild.id, "ada", "rex")
    assert lora is not None
    with pytest.raises(UserError, match=r"'rex' is 0\.0 MB; at most 0 MB"):
        await studio.exporting(lora, LoraLayout.KOHYA, 10)
    with pytest.raises(UserError, match="no longer here"):
        await LoraExporting(folder=tmp_path)(lora, LoraLayout.KOHYA, 10)
    writer = CanonicalWriter(ModelFamily.SDXL)
    writer.add("unet.of_another_model", Factors(up=torch.ones(4, 1), down=torch.ones(1, 4)))
    writer.save(tmp_path / f"{lora.key}.safetensors")
    with pytest.raises(UserError, match="The model that this LoRA was made for is no longer served here"):
        await studio.exporting(lora, LoraLayout.KOHYA, 10**9)
