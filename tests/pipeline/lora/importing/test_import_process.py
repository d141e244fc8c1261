"""An import apart: a report or one sentence, whatever the file does to the process that reads it."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
import torch
from safetensors.torch import save_file

from pipeline.errors import UserError
from pipeline.families.family import ModelFamily
from pipeline.lora.format.file import LoraFile
from pipeline.lora.importing.import_process import ChildLimits, Order, import_apart, importing
from pipeline.lora.importing.importers import Importers

LAYER = "lora_unet_down_blocks_1_attentions_0_transformer_blocks_0_attn1_to_q"
LIMITS = ChildLimits()


@pytest.fixture
def order(model_folder: Callable[[str], Path], tmp_path: Path) -> Order:
    model = model_folder("nano")
    tensors = {
        f"{LAYER}.lora_down.weight": torch.randn(4, 64) * 0.1,
        f"{LAYER}.lora_up.weight": torch.randn(64, 4) * 0.1,
        "bundle_emb.cat.clip_l": torch.randn(2, 32),
        "bundle_emb.cat.clip_g": torch.randn(2, 32),
    }
    save_file(tensors, tmp_path / "lora.safetensors", metadata={"modelspec.license": "CC0"})
    return Order(
        source=tmp_path / "lora.safetensors",
        target=tmp_path / "canonical.safetensors",
        configs=model,
        family=ModelFamily.SDXL,
    )


async def test_a_report_comes_back_whole(order: Order) -> None:
    """With all its fields in their own types, and the file is there."""
    report = await import_apart(order, LIMITS)

    assert report.family is ModelFamily.SDXL
    assert report.layers == 1
    assert report.ranks == (4, 4)
    assert report.algorithms == ("LoRA", "textual inversion")
    assert report.embeddings[0].trigger == "cat"
    assert report.licence == "CC0"
    assert LoraFile.open(order.target).rank == 4


async def test_a_refusal_comes_back_as_its_sentence(order: Order) -> None:
    """The child's sentence is the caller's."""
    order.source.write_bytes(b"\x80\x04pickle")

    with pytest.raises(UserError, match="pickle"):
        await import_apart(order, LIMITS)


async def test_a_file_that_needs_too_much_memory_is_refused(order: Order) -> None:
    """The limit is the process's own address space, so that nothing a file asks for can take the machine's."""
    with pytest.raises(UserError, match="more memory"):
        await import_apart(order, replace(LIMITS, memory=1024))


async def test_a_file_that_takes_too_long_is_given_up(order: Order) -> None:
    """And its process is gone."""
    order.source.unlink()
    os.mkfifo(order.source)  # opening it waits for ever

    with pytest.raises(UserError, match="longer than 0 seconds"):
        await import_apart(order, replace(LIMITS, seconds=0.2))
    assert not [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]


async def test_a_child_that_dies_costs_one_sentence(order: Order) -> None:
    """Whatever ended it; its own words are in the log."""
    with pytest.raises(UserError, match="cannot be read as a LoRA"):
        await import_apart(replace(order, family="nothing"), LIMITS)  # type: ignore[arg-type]  # to break it


async def test_a_child_that_runs_before_there_is_an_order_does_it(order: Order) -> None:
    """And is gone when its block ends; one that died meanwhile costs a sentence."""
    async with importing(order.configs, order.family) as child:
        report = await import_apart(order, LIMITS, child)
    assert (report.layers, child.returncode) == (1, 0)

    async with importing(order.configs, order.family) as child:
        child.kill()
        with pytest.raises(UserError, match="cannot be read as a LoRA"):
            await import_apart(order, LIMITS, child)


async def test_a_child_that_got_ready_for_a_model_that_is_gone_says_so_when_it_is_asked(
    order: Order, tmp_path: Path
) -> None:
    """One sentence for that model; for another it does the order. A pool that is ready has a child for each order."""
    gone = tmp_path / "gone"
    importers = Importers(lambda: importing(gone, order.family))
    async with importers.ready() as imported:
        assert (await imported(order)).layers == 1
        with pytest.raises(UserError, match="gone"):
            await imported(replace(order, configs=gone))
    assert psutil.Process().children() == []
