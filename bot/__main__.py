"""`limner`: the command line. Each command imports what it runs on only when it is called."""

import asyncio
import io
import json
import logging
import sys
from collections.abc import Coroutine
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from bot.assembly.settings import Settings
from handlers.commands.arguments import Value
from handlers.images.imagine import COMMAND as IMAGINE
from pipeline.errors import NO_TEXT, UserError

app = typer.Typer(
    name="limner",
    help="An image studio that lives in a community's chat.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
models_app = typer.Typer(help="The models on this machine.", no_args_is_help=True)
app.add_typer(models_app, name="models")
_OPTIONS = {option.name: option for option in IMAGINE.options}


def _help(name: str) -> str:
    option = _OPTIONS[name]
    if option.choices:
        return f"{option.help}: {', '.join(option.choices)}."
    return f"{option.help}." if option.low is None else f"{option.help}: {option.range_text}."


@app.command(epilog='Example: limner imagine "red fox, glossy style, teal background" --count 2 --seed 7')
def imagine(
    prompt: Annotated[str | None, typer.Argument(help=_help("prompt"))] = None,
    negative: Annotated[str | None, typer.Option(help=_help("negative"))] = None,
    aspect: Annotated[str | None, typer.Option(help=_help("aspect"))] = None,
    count: Annotated[int | None, typer.Option("--count", "--n", help=_help("count"))] = None,
    seed: Annotated[int | None, typer.Option(help=_help("seed"))] = None,
    steps: Annotated[int | None, typer.Option(help=_help("steps"))] = None,
    guidance: Annotated[float | None, typer.Option(help=_help("guidance"))] = None,
    guidance_rescale: Annotated[float | None, typer.Option(help=_help("guidance-rescale"))] = None,
    scheduler: Annotated[str | None, typer.Option(help=_help("scheduler"))] = None,
    spacing: Annotated[str | None, typer.Option(help=_help("spacing"))] = None,
    width: Annotated[int | None, typer.Option(help=_help("width"))] = None,
    height: Annotated[int | None, typer.Option(help=_help("height"))] = None,
    like: Annotated[Path | None, typer.Option(help="A picture to repeat, with these options changed.")] = None,
) -> None:
    """Make images from words and leave them in the images folder."""
    given: dict[str, Value | None] = {
        "prompt": prompt, "negative": negative, "aspect": aspect, "count": count, "seed": seed, "steps": steps,
        "guidance": guidance, "guidance-rescale": guidance_rescale, "scheduler": scheduler,
        "spacing": spacing, "width": width, "height": height,
    }  # fmt: skip
    from bot.terminal.one_shot import imagine_once

    values = {name: value for name, value in given.items() if value is not None}
    if not _run(imagine_once(_settings(logging.ERROR), values, like)):
        raise typer.Exit(1)


@app.command(epilog="Example: echo '/imagine red fox --steps 20' | limner chat")
def chat() -> None:
    """Talk to Limner in the terminal: the same commands as in Discord and Slack."""
    from bot.terminal.chat import chat

    _run(chat(_settings(logging.ERROR)))


@app.command(epilog="Example: LIMNER_MODEL=stabilityai/stable-diffusion-xl-base-1.0 limner serve")
def serve() -> None:
    """Serve every configured platform and render for all of them."""
    from bot.serve import serve

    _run(serve(_settings(logging.INFO)))


@app.command(epilog="Example: limner doctor")
def doctor() -> None:
    """Look at each thing that is needed: found or missing, and what to do."""
    from bot.doctor import Verdict, examine

    async def report() -> bool:
        healthy = True
        async for finding in examine(_settings(logging.ERROR)):
            typer.echo(f"{finding.verdict.value} {finding.name:<10} {finding.words}")
            if finding.advice:
                typer.echo(f"  {'':<10} → {finding.advice}")
            healthy &= finding.verdict is not Verdict.MISSING
        return healthy

    if not _run(report()):
        raise typer.Exit(1)


@app.command("slack-manifest", epilog="Example: limner slack-manifest > manifest.json")
def slack_manifest(
    url: Annotated[
        str | None, typer.Option(help="This server's public address, for signed requests; without it, Socket Mode.")
    ] = None,
) -> None:
    """Print the manifest from which api.slack.com/apps makes the app, commands and scopes included."""
    from bot.slack.command_names import CommandNames
    from bot.slack.manifest import manifest
    from handlers.registry import COMMANDS

    settings = _settings(logging.ERROR)
    with _user_errors():
        names = CommandNames.parse(settings.slack_command_prefix, settings.slack_command_names, COMMANDS)
        typer.echo(json.dumps(manifest(COMMANDS, names, url), indent=2, ensure_ascii=False))


@app.command("discord-invite", epilog="Example: DISCORD_TOKEN=… limner discord-invite")
def discord_invite() -> None:
    """Print the link that invites the bot to a Discord server, with exactly what it needs."""
    from bot.discord.invite import invite_url

    typer.echo(_run(invite_url(_settings(logging.ERROR))))


@app.command(epilog="Example: limner migrate")
def migrate() -> None:
    """Bring the database up to date; `serve`, `chat` and `imagine` do so themselves."""
    from bot.assembly.runtime import make_data_folder
    from storage.database import migrate

    settings = _settings(logging.ERROR)
    with _user_errors():
        make_data_folder(settings)
    _run(migrate(settings.database_url))
    typer.echo("The database is up to date.")


@app.command(epilog="Example: limner info picture.png")
def info(image: Annotated[Path, typer.Argument(help="A picture that Limner or another program made.")]) -> None:
    """Print the parameters that an image carries."""
    from bot.terminal.one_shot import read_image
    from pipeline.images.metadata import ImageMetadata

    with _user_errors():
        said = read_image(image)
        if isinstance(said, ImageMetadata):
            typer.echo(NO_TEXT.sub("?", said.parameters()))
            shown = json.loads(said.to_json())
        else:
            shown = {name: value for name, value in asdict(said).items() if value not in (None, "", ())}
        typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))


@models_app.command("list", epilog="Example: limner models list")
def list_models() -> None:
    """The models that are on this machine."""
    from pipeline.models.source import stored_models

    for model in stored_models():
        typer.echo(f"{model.source}  {model.size / 2**20:,.0f} MB  {model.path}")


@models_app.command("pull", epilog="Example: limner models pull stabilityai/stable-diffusion-xl-base-1.0")
def pull_model(
    model: Annotated[
        str, typer.Argument(help="A Hugging Face id, with @revision if you like, or what draws a map: control-depth.")
    ],
) -> None:
    """Download a model: safetensors only, at a pinned commit."""
    from pipeline.control.annotator_models import PULLED_AS, pull_annotator
    from pipeline.models.source import ModelSource

    with _user_errors():
        kind = PULLED_AS.get(model)
        for path in (ModelSource.parse(model).pull(),) if kind is None else pull_annotator(kind):
            typer.echo(path)


@models_app.command("path", epilog="Example: limner models path pocket")
def model_path(model: Annotated[str, typer.Argument(help="A model as LIMNER_MODEL takes it.")] = "pocket") -> None:
    """Where a model lies on this machine."""
    from pipeline.models.source import ModelSource

    with _user_errors():
        typer.echo(ModelSource.parse(model).local_path())


class _user_errors:  # noqa: N801 - reads as a statement where it is used
    """Turns a UserError into its sentence on standard error and exit code 1."""

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        if isinstance(error, UserError):
            typer.echo(str(error), err=True)
            sys.exit(1)


def _settings(level: int) -> Settings:
    from bot.assembly.logs import configure_logging

    configure_logging(level)
    with _user_errors():
        return Settings.load()


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    with _user_errors():
        return asyncio.run(work)


def main() -> None:
    """The entry point of the `limner` program."""
    _take_any_bytes()
    app()


def _take_any_bytes() -> None:
    """Read what is not UTF-8 as halves of surrogate pairs, which are refused in a sentence, and write them escaped."""
    for stream, errors in ((sys.stdin, "surrogateescape"), (sys.stdout, "backslashreplace")):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=errors)


if __name__ == "__main__":
    main()
