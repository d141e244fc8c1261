"""The command `python -m recipes.pocket [stage ...]`: runs the named stages, or all of them in order.

With `--minutes` it trains on composed scenes for so long instead, on `--device`, and writes weights to `--out`.
"""

import argparse
import importlib
import logging
import os
import time
from pathlib import Path

import torch

from recipes.pocket.run_folder import RunFolder
from recipes.pocket.scenes import concepts

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
BY_NAME = ("draw", "land", "evaluate_scenes", "synonyms")
"""These stages run only when they are named."""


def main() -> None:
    """Runs the stages."""
    started = time.monotonic()
    arguments = _arguments()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_flush_denormal(True)
    torch.manual_seed(0)
    if arguments.minutes is None:
        _run_stages(arguments)
    else:
        _train_for(arguments, started)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m recipes.pocket", description=__doc__)
    parser.add_argument(
        "stages", nargs="*", metavar="stage", help=f"of {', '.join(STAGES)} (default), {', '.join(BY_NAME)}"
    )
    parser.add_argument("--scratch", action="store_true", help="start a fresh run from nothing, not from what shipped")
    parser.add_argument("--minutes", type=float, help="train on composed scenes for so long, everything included")
    parser.add_argument("--device", default="cpu", help="where that runs: cuda or cpu")
    parser.add_argument("--out", type=Path, default=Path("pocket-out"), help="where its weights and samples go")
    parser.add_argument("--drawings", type=Path, help="the atlas of drawings, where it is not in the run folder")
    parser.add_argument("--batch", type=int, default=1024, help="pictures of the native size a step")
    parser.add_argument("--shares", default="0.26,0.64,0.10", help="of the time: autoencoder, UNet, judge")
    parser.add_argument("--compile", action="store_true", help="compile the UNet first; worth it in longer runs only")
    return parser.parse_args()


def _run_stages(arguments: argparse.Namespace) -> None:
    # The stages need resvg and npm, which a machine that only trains does not have.
    stages = importlib.import_module("recipes.pocket.stages")
    recipe = stages.Recipe(
        folder=RunFolder.from_env(os.environ),
        concepts=concepts(),
        returned=arguments.out,
        atlas=arguments.drawings,
    )
    if not arguments.scratch:
        recipe.adopt()
    for stage in arguments.stages or STAGES:
        getattr(recipe, stage)()


def _train_for(arguments: argparse.Namespace, started: float) -> None:
    timed_run = importlib.import_module("recipes.pocket.timed_run")
    run = timed_run.TimedRun(
        folder=RunFolder.from_env(os.environ),
        atlas=arguments.drawings,
        out=arguments.out,
        concepts=concepts(),
        device=torch.device(arguments.device),
        batch=arguments.batch,
        vae_batch=max(1, arguments.batch // 4),
        workers=timed_run.workers_here(),
        compiles=arguments.compile,
        shares=tuple(map(float, arguments.shares.split(","))),
    )
    run.run(lambda: 60 * arguments.minutes - (time.monotonic() - started))


main()
