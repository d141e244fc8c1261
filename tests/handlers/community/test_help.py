"""/help: the overview, and each command with its options."""

import pytest

from handlers.commands.context import AppContext
from handlers.commands.groups import heads
from pipeline.errors import UserError
from tests.app_contexts import CallCommand


async def test_help_names_every_command_and_explains_each(context: AppContext, call: CallCommand) -> None:
    """`/help imagine` shows every option with its range."""
    overview = (await call("help", admin=True)).lines
    assert all(any(line.startswith(f"/{command.name}:") for line in overview) for command in heads(context.commands))

    lines = (await call("help", command="/imagine")).lines
    assert "--steps: Denoising steps (1 to 150)" in lines
    with pytest.raises(UserError, match="no command /paint"):
        await call("help", command="paint")
