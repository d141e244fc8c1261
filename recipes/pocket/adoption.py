"""The start of a fresh run: the shipped weights replace those that an earlier run would have finished."""

import shutil
from pathlib import Path

from recipes.pocket.export import load
from recipes.pocket.judge import load_judge
from recipes.pocket.run_folder import RunFolder, write
from recipes.pocket.text_training import Reader


def adopt_tokenizer(folder: RunFolder, shipped: Path) -> None:
    """Takes over the vocabulary, which the shipped text encoders depend on."""
    shutil.copytree(shipped / "tokenizer", folder.tokenizer, dirs_exist_ok=True)


def adopt_weights(folder: RunFolder, shipped: Path, judge: Path, reader: Reader) -> None:
    """Takes over text encoders, judge and autoencoder as finished, and the UNet to train further."""
    pipe = load(shipped)
    reader.text_encoder.load_state_dict(pipe.text_encoder.state_dict())
    reader.text_encoder_2.load_state_dict(pipe.text_encoder_2.state_dict())
    reader.judge.load_state_dict(load_judge(judge).state_dict())
    write(reader.state_dict(), folder.finished("text"))
    write(pipe.vae.state_dict(), folder.finished("vae"))
    write(pipe.vae.state_dict(), folder.finished("decoder"))
    # Last, because its presence says that everything else is there.
    write(pipe.unet.state_dict(), folder.start)


def is_fresh(folder: RunFolder) -> bool:
    """Whether nothing was trained in this folder yet."""
    return not any(folder.root.glob("*.checkpoint.pt")) and not folder.start.exists()
