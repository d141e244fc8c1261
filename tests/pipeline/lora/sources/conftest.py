"""A server on loopback that answers as the sources document."""

from collections.abc import AsyncIterator

import pytest

from tests.pipeline.lora.sources.site import Site


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    site = Site()
    await site.start()
    yield site
    await site.server.close()
