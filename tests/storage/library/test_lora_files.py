"""The files of LoRAs go when nothing needs them any more."""

import os
from dataclasses import replace
from pathlib import Path

from pipeline.families.family import ModelFamily
from storage.database import Database
from storage.guilds.guilds import Guild
from storage.library.lora_files import sweep_lora_files
from storage.library.loras import LoraStore, NewLora, new_key
from storage.queue.job_queue import JobQueue
from tests.fakes import FakeClock
from tests.new_jobs import new_job


async def test_what_nothing_needs_goes_once_it_is_old(
    database: Database, guild: Guild, clock: FakeClock, tmp_path: Path
) -> None:
    """What a library holds or may choose stays, what an open job names, and what an import may still be writing."""
    new = NewLora(guild_id=guild.id, name="a", owner_id="ann", base_family=ModelFamily.SDXL, key="kept", size=1)
    await LoraStore(database).add(new)
    await JobQueue(database).enqueue(new_job(guild.id, loras=("open",)))
    for name in ("broken", "kept", "open"):
        (tmp_path / "incoming" / name).mkdir(parents=True)
        (tmp_path / "incoming" / name / "part").touch()
    trained = new_key(guild.id)
    await LoraStore(database).add(replace(new, name="b", key=f"{trained}-50"))
    for name in ("kept", "open", "removed", "fresh", trained, f"{trained}-50", f"{new_key(guild.id)}-50"):
        (tmp_path / f"{name}.safetensors").touch()
    for path in (*tmp_path.glob("*.safetensors"), *tmp_path.glob("incoming/*")):
        os.utime(path, (clock.now, clock.now if path.stem == "fresh" else clock.now - 100))

    assert await sweep_lora_files(database, tmp_path, 50) == 4

    assert sorted(path.stem for path in tmp_path.glob("*.safetensors")) == sorted(
        ["fresh", "kept", "open", trained, f"{trained}-50"]
    )
    # What was downloaded for a LoRA of the library was left by a process that died once it was there.
    assert [path.name for path in tmp_path.glob("incoming/*")] == ["open"]
