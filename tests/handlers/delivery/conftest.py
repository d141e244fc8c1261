"""A delivery to a chat that remembers what it was given."""

import pytest

from handlers.commands.context import AppContext
from handlers.delivery.delivery import Delivery
from tests.fakes import FakeChat, FakeClock


@pytest.fixture
def chat() -> FakeChat:
    return FakeChat()


@pytest.fixture
def delivery(context: AppContext, chat: FakeChat, clock: FakeClock) -> Delivery:
    return Delivery(context=context, chat=chat, poster="this process", clock=clock)
