"""All settings, read once from the environment and an optional `.env` file."""

import os
from pathlib import Path
from typing import Final, Literal, Self

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from handlers.context.training_hours import ALL_DAY
from pipeline.errors import UserError
from pipeline.requests.device_spec import Weights


def _default_data_folder() -> Path:
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "limner"


def _listed(text: str) -> tuple[str, ...]:
    """The parts of `text` between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


_HOURS: Final = r"^([01]?\d|2[0-4])-([01]?\d|2[0-4])$"


class Settings(BaseSettings):
    """What the person who runs Limner may choose; each field is also an environment variable."""

    model_config = SettingsConfigDict(env_file=".env", extra="ignore", frozen=True, populate_by_name=True)

    data: Path = Field(default_factory=_default_data_folder, alias="LIMNER_DATA")
    """The folder for the database, the blobs and the images."""

    database: str | None = Field(default=None, alias="LIMNER_DATABASE")
    """A PostgreSQL or SQLite URL; by default a SQLite file in the data folder."""

    model: str = Field(default="pocket", alias="LIMNER_MODEL")
    """`pocket`, a folder, a Hugging Face id with an optional @revision, or a .safetensors checkpoint.

    Several, separated by commas, are all served; the first is the default.
    """

    devices: str = Field(default="auto", alias="LIMNER_DEVICES")
    """`auto` for every GPU (or the CPU), else names separated by commas: `cuda:0,cuda:1`, `cpu`."""

    images_at_once: int = Field(default=4, ge=1, le=64, alias="LIMNER_IMAGES_AT_ONCE")
    """How many images one device works on at the same time."""

    model_memory_gb: float | None = Field(default=None, gt=0, alias="LIMNER_MODEL_MEMORY_GB")
    """How much memory all models together may take on one device; by default as much as is free."""

    lora_host_memory_gb: float = Field(default=2.0, gt=0, alias="LIMNER_LORA_HOST_MEMORY_GB")
    """How much of a device's host memory holds LoRAs, for each model."""

    lora_device_memory_gb: float = Field(default=4.0, gt=0, alias="LIMNER_LORA_DEVICE_MEMORY_GB")
    """How much of a device's own memory holds LoRAs, for each model."""

    lora_quota_gb: float = Field(default=10.0, gt=0, alias="LIMNER_LORA_QUOTA_GB")
    """How much of the disk the LoRAs of one guild may take."""

    training_share: float = Field(default=0.5, gt=0, le=1, alias="LIMNER_TRAINING_SHARE")
    """The share of a device's time that a training takes while images wait."""

    training_hours: str = Field(default=ALL_DAY, pattern=_HOURS, alias="LIMNER_TRAINING_HOURS")
    """The hours of the day in which trainings run, in this machine's time: `22-6` for the night."""

    lora_hosts: str = Field(default="", alias="LIMNER_LORA_HOSTS")
    """Hosts of plain links to LoRA files, separated by commas; `.example.org` is every host below."""

    lora_store_hosts: str = Field(default="", alias="LIMNER_LORA_STORE_HOSTS")
    """Further hosts to which Civitai and Hugging Face, or a proxy of theirs, may redirect a download."""

    lora_loopback: bool = Field(default=False, alias="LIMNER_LORA_LOOPBACK")
    """Whether a link may lead to this machine itself, also over http; for tests only."""

    civitai_base: str = Field(default="https://civitai.com", alias="CIVITAI_BASE")
    """Another address of Civitai, for tests and proxies."""

    hugging_face_base: str = Field(default="https://huggingface.co", alias="HUGGING_FACE_BASE")
    """Another address of the Hub's LoRA files, for tests and proxies."""

    control_memory_gb: float = Field(default=6.0, gt=0, alias="LIMNER_CONTROL_MEMORY_GB")
    """How much of a device's own memory holds ControlNets, for each model."""

    calibration_seconds: float = Field(default=20.0, ge=0, alias="LIMNER_CALIBRATION_SECONDS")
    """How long `limner serve` may measure a device's steps at its first start with a model; 0 for not at all."""

    compile: Literal["auto", "off"] = Field(default="auto", alias="LIMNER_COMPILE")
    """Whether devices of `limner serve` compile what they often run, to use it where that is measured to be faster."""

    weights: Weights = Field(default=Weights.FULL, alias="LIMNER_WEIGHTS")
    """`fp8` keeps the denoisers' weights in a quarter to half of the memory; it needs the package's extra `fp8`."""

    drain_seconds: float = Field(default=20.0, ge=0, alias="LIMNER_DRAIN_SECONDS")
    """How long a stop lets running jobs finish before it gives them back to the queue."""

    stale_seconds: float = Field(default=10.0, ge=1, alias="LIMNER_STALE_SECONDS")
    """After how long a silent worker counts as dead and its jobs go to another."""

    guilds: str = Field(default="", alias="LIMNER_GUILDS")
    """The servers and workspaces that are served, separated by commas: `discord:123`, `slack:T123`; empty for all."""

    silence_seconds: float = Field(default=600.0, ge=1, alias="LIMNER_SILENCE_SECONDS")
    """After how long a device that has work and says nothing is ended and started again."""

    keep_days: int = Field(default=90, ge=1, alias="LIMNER_KEEP_DAYS")
    """How long finished jobs and their images are kept."""

    waiting_jobs: int = Field(default=20, ge=1, alias="LIMNER_WAITING_JOBS")
    """How many jobs of one member may wait in a guild, those that run not counted."""

    max_upload_mb: int = Field(default=200, ge=1, alias="LIMNER_MAX_UPLOAD_MB")
    """How large a file may be that a member attaches to a command."""

    host: str = Field(default="127.0.0.1", alias="LIMNER_HOST")
    """Where /healthz, /readyz and /metrics listen."""

    port: int = Field(default=8420, ge=0, le=65535, alias="LIMNER_PORT")
    """The port of /healthz, /readyz and /metrics; 0 picks a free one."""

    discord_token: SecretStr | None = Field(default=None, alias="DISCORD_TOKEN")
    """The bot's token (docs/discord.md)."""

    discord_api_base: str | None = Field(default=None, alias="DISCORD_API_BASE")
    """Another address of Discord's API, for tests and proxies."""

    discord_gateway_url: str | None = Field(default=None, alias="DISCORD_GATEWAY_URL")
    """Another address of Discord's gateway, instead of the one that the API names."""

    slack_bot_token: SecretStr | None = Field(default=None, alias="SLACK_BOT_TOKEN")
    """With SLACK_APP_TOKEN: one workspace over Socket Mode (docs/slack.md)."""

    slack_app_token: SecretStr | None = Field(default=None, alias="SLACK_APP_TOKEN")

    slack_signing_secret: SecretStr | None = Field(default=None, alias="SLACK_SIGNING_SECRET")
    """With the client's id and secret: many workspaces, each of which installs the app (docs/slack.md)."""

    slack_client_id: str | None = Field(default=None, alias="SLACK_CLIENT_ID")
    slack_client_secret: SecretStr | None = Field(default=None, alias="SLACK_CLIENT_SECRET")

    slack_api_base: str = Field(default="https://slack.com/api/", alias="SLACK_API_BASE")
    """Slack's Web API; another one for GovSlack or for tests."""

    slack_command_prefix: str = Field(default="", alias="SLACK_COMMAND_PREFIX")
    """A prefix of every slash command except /limner: `img-` makes /img-imagine."""

    slack_command_names: str = Field(default="", alias="SLACK_COMMAND_NAMES")
    """Other names for single commands: `imagine=draw limner=art`."""

    key: SecretStr | None = Field(default=None, alias="LIMNER_KEY")
    """Encrypts stored tokens; of several, separated by commas, the first one. By default a file in the data folder."""

    @classmethod
    def load(cls) -> Self:
        """The settings of this process; raises UserError naming each setting that is wrong."""
        try:
            return cls()
        except ValidationError as error:
            problems = "; ".join(f"{problem['loc'][0]}: {problem['msg']}" for problem in error.errors())
            raise UserError(f"The settings are wrong ({problems}); correct them in the environment or .env.") from None

    @property
    def database_url(self) -> str:
        """The URL of the database in use."""
        return self.database or f"sqlite+aiosqlite:///{self.data / 'limner.db'}"

    @property
    def models(self) -> tuple[str, ...]:
        """The models to serve, the default first."""
        return _listed(self.model)

    @property
    def lora_hosts_allowed(self) -> frozenset[str]:
        """The hosts of plain links to LoRA files."""
        return frozenset(_listed(self.lora_hosts))

    @property
    def lora_store_hosts_allowed(self) -> frozenset[str]:
        """The further hosts that Civitai and Hugging Face may use."""
        return frozenset(_listed(self.lora_store_hosts))

    @property
    def cache(self) -> Path:
        """The folder for what devices measured or compiled; deleting it costs only time."""
        return self.data / "cache"

    @property
    def trainings(self) -> Path:
        """The folder in which running trainings store what they need to go on."""
        return self.data / "trainings"

    @property
    def loras(self) -> Path:
        """The folder of the guilds' LoRAs, in their canonical form."""
        return self.data / "loras"

    @property
    def controls(self) -> Path:
        """The ControlNets, as `<base>/<kind>/`."""
        return self.data / "controls"

    @property
    def vaes(self) -> Path:
        """The VAEs beside the models' own, as `<base>/<name>.safetensors`."""
        return self.data / "vaes"

    @property
    def upscalers(self) -> Path:
        """The upscalers' weights, as `<name>.safetensors`."""
        return self.data / "upscalers"

    @property
    def blobs(self) -> Path:
        """The folder of the blobs."""
        return self.data / "blobs"

    @property
    def images(self) -> Path:
        """The folder in which the terminal writes its images."""
        return self.data / "images"
