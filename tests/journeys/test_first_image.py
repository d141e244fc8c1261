"""What a newcomer does first, by the README's own words."""

import shutil
import signal
from pathlib import Path

import pytest
from safetensors.numpy import load_file, save_file

from tests.eventually import eventually
from tests.journeys.terminal import children, run, start

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]  # whole processes, each of which loads a model


async def test_imagine_writes_an_image_that_can_be_repeated_bit_for_bit(tmp_path: Path) -> None:
    """The path and the parameters are printed, `info` reads them back, `--like` gives the same bytes alone."""
    code, out, errors = await run("imagine", "red fox", "--steps", "4", "--seed", "6", "--n", "3", data=tmp_path)

    assert code == 0, errors
    path = tmp_path / "images" / "red-fox-1-2.png"
    assert path.name in out.replace("\n", "")
    assert "Steps: 4, Sampler: Euler, CFG scale: " in out
    assert "Seed: 8" in out

    code, metadata, _ = await run("info", str(path), data=tmp_path)
    assert code == 0
    assert "Steps: 4" in metadata
    assert '"seed": 7' in metadata

    original = tmp_path / "original.png"
    shutil.copy(path, original)
    code, _, errors = await run("imagine", "--like", str(original), data=tmp_path / "elsewhere")
    assert code == 0, errors
    [again] = (tmp_path / "elsewhere" / "images").glob("*.png")
    assert again.read_bytes() == original.read_bytes()


async def test_chat_runs_every_line_of_a_pipe_and_waits_for_its_images(tmp_path: Path) -> None:
    """Commands, mistakes and a bare prompt: each gets its answer."""
    lines = "/imagine red fox --steps 2 --n 2\n/paint\n/imagine owl --stpes 3\nblue apple\n/cancel 3\n/queue\n"

    code, out, errors = await run("chat", data=tmp_path, text=lines)

    assert code == 0, errors
    assert "There is no command /paint" in out
    assert "did you mean --steps?" in out
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names[-2:] == ["red-fox-1-1.png", "red-fox-1-2.png"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("imagine", ""), "needs a prompt"),
        (("imagine", "fox", "--steps", "0"), "steps is 0; use 1 to 150"),
        (("imagine", "fox", "--width", "130"), "width 130 is not a multiple of 8"),
        (("imagine", "fox", "--scheduler", "magic"), "scheduler 'magic' is unknown"),
        (("imagine", "--like", "nowhere.png"), "nowhere.png cannot be read"),
        (("imagine", "{red|blue} fox"), "stands for several prompts; give one at a time"),
        (("info", "README.md"), "not a PNG picture"),
        (("models", "path", "nothing.safetensors"), "nothing.safetensors"),
    ],
)
async def test_a_mistake_at_the_command_line_is_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], sentence: str
) -> None:
    """Exit code 1, the sentence on standard error, no traceback."""
    code, _, errors = await run(*arguments, data=tmp_path)

    assert code == 1
    assert sentence in errors
    assert "Traceback" not in errors


async def test_models_tells_what_is_here_and_where(tmp_path: Path) -> None:
    """The embedded model is always there, and its path leads to it."""
    code, out, errors = await run("models", "list", data=tmp_path, HF_HOME=str(tmp_path / "empty"))
    assert code == 0, errors
    assert out.startswith("pocket ")

    _, out, _ = await run("models", "path", data=tmp_path)
    assert (Path(out.strip()) / "model_index.json").exists()


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"LIMNER_DATABASE": "postgresql://nobody:secret@127.0.0.1:1/none"}, "127.0.0.1:1/none does not answer"),
        ({"LIMNER_DATA": "/dev/null/limner"}, "/dev/null/limner cannot be used"),
        ({"LIMNER_MODEL": "nowhere/at-all"}, "run: limner models pull nowhere/at-all"),
        ({"LIMNER_PORT": "a lot"}, "LIMNER_PORT"),
    ],
)
async def test_a_wrong_setting_is_one_sentence(tmp_path: Path, settings: dict[str, str], sentence: str) -> None:
    """It says what to mend, and keeps passwords to itself."""
    code, _, errors = await run("imagine", "fox", data=tmp_path, **settings)

    assert code == 1
    assert sentence in errors
    assert "Traceback" not in errors
    assert "secret" not in errors


async def test_a_stop_is_one_sentence_and_leaves_nothing_to_be_made(tmp_path: Path) -> None:
    """SIGTERM while an image is being made: it is cancelled, and not made by the next process."""
    process = await start(("imagine", "slow fox", "--steps", "50", "--count", "4"), tmp_path)

    async def has_begun() -> bool:
        return any("pipeline.devices.program" in child.cmdline() for child in children(process))

    await eventually(has_begun)
    process.send_signal(signal.SIGTERM)
    out, errors = await process.communicate()

    assert process.returncode == 1, out
    assert errors.decode().strip() == "Stopped before the picture was made; run the same command again."
    _, said, _ = await run("chat", data=tmp_path, text="/queue\n")
    assert "Nothing of yours is waiting." in said
    assert not (tmp_path / "images").exists()


async def test_weights_that_do_not_fit_are_one_sentence_and_lose_no_job(tmp_path: Path) -> None:
    """A tensor is missing: the device says so, and the same command works once the model is whole."""
    whole = Path(__file__).parents[2] / "pipeline" / "pocket"
    model = tmp_path / "pocket"
    shutil.copytree(whole, model)
    [unet] = (model / "unet").glob("*.safetensors")
    tensors = load_file(unet)
    del tensors["conv_in.weight"]
    save_file(tensors, unet)

    code, _, errors = await run("imagine", "fox", data=tmp_path / "data", LIMNER_MODEL=str(model))
    assert code == 1
    assert "Traceback" not in errors
    assert errors.strip().endswith(".")

    code, out, errors = await run("imagine", "fox", "--steps", "1", data=tmp_path / "data")
    assert code == 0, errors
    assert "fox-2-1.png" in out.replace("\n", "")


async def test_doctor_finds_what_is_there_and_says_what_to_do(tmp_path: Path) -> None:
    """Before the first migration the database is the one thing missing; after it nothing is."""
    code, out, _ = await run("doctor", data=tmp_path)
    assert code == 1
    assert "run: limner migrate" in out

    assert (await run("migrate", data=tmp_path))[0] == 0
    code, out, errors = await run("doctor", data=tmp_path)
    assert code == 0, out + errors
    assert "✓ model" in out
    assert "✓ device" in out
    assert "– slack" in out


async def test_a_pipe_of_any_bytes_is_answered_line_by_line(tmp_path: Path) -> None:
    """Numbers past every column, bytes that are no UTF-8, a line without an end: the next is heard all the same."""
    lines = (
        b"/cancel 99999999999999999999\n", b"\xff\xfe red fox\n", b"/imagine a\x00b\n", b"/" + b"x" * 300_000 + b"\n",
        b"{a|" * 40 + b"a" + b"}" * 40 + b"\n", b"/imagine fox --steps \xd9\xa3\n", b"/help cancel\n",
    )  # fmt: skip
    process = await start(("chat",), tmp_path)
    out, errors = await process.communicate(b"".join(lines))

    assert process.returncode == 0, errors
    said = " ".join(out.decode().split())
    assert "no number here is larger than" in said
    assert said.count("holds a character that is no text") == 2
    assert "characters; the limit is 10000" in said
    assert "stands for 41 prompts; the limit is 16" in said
    assert "Stop a picture that waits or renders" in said
    assert "Traceback" not in errors.decode()
    assert len(list((tmp_path / "images").iterdir())) == 1


async def test_arguments_of_any_bytes_are_refused_in_a_sentence(tmp_path: Path) -> None:
    """What the shell hands over that is no text is never printed as it is."""
    for arguments in (
        ("\udcff fox",),
        ("fox", "--seed", "9" * 30),
        ("fox", "--guidance", "1e999"),
        ("--like", "\udcff"),
    ):
        code, _, errors = await run("imagine", *arguments, data=tmp_path)
        assert code == 1
        assert len(errors.strip().splitlines()) == 1
