"""The command `python -m recipes.pocket [stage ...]`: runs the named stages, or all of them in order."""

import argparse
import logging
import os

import torch

from recipes.pocket.run_folder import RunFolder
from recipes.pocket.scenes import concepts
from recipes.pocket.stages import Recipe

STAGES = (
    "data",
    "text",
    "vae",
    "latents",
    "unet",
    "decoder",
    "judge",
    "export",
    "evaluate",
    "evaluate_few",
    "control",
    "evaluate_control",
    "twemoji",
    "card",
)


def main() -> None:
    """Runs the stages."""
    parser = argparse.ArgumentParser(prog="python -m recipes.pocket", description=__doc__)
    parser.add_argument("stages", nargs="*", metavar="stage", help=f"one of {', '.join(STAGES)}; default: all")
    parser.add_argument("--scratch", action="store_true", help="start a fresh run from nothing, not from what shipped")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    recipe = Recipe(folder=RunFolder.from_env(os.environ), concepts=concepts())
    if not arguments.scratch:
        recipe.adopt()
    for stage in arguments.stages or STAGES:
        getattr(recipe, stage)()


main()
