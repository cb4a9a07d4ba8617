"""What the machine's tests share: the engines of two processes."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import engine
from tests.conftest import Urls


@pytest.fixture
async def engines(urls: Urls) -> AsyncIterator[list[AsyncEngine]]:
    """Two engines that share nothing, as those of two API processes."""
    found = [engine(urls.app), engine(urls.app)]
    yield found
    for it in found:
        await it.dispose()
