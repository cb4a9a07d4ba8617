"""What the machine's tests share: short logs, and the engines of two processes."""

from collections.abc import AsyncIterator

import pytest
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.kernel.database import engine
from tests.conftest import Urls


@pytest.fixture(scope="session", autouse=True)
def plain_logs() -> None:
    """Leave out every frame's variables, which the default draws for seconds."""
    renderer = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=structlog.dev.plain_traceback
    )
    structlog.configure(processors=[structlog.stdlib.add_log_level, renderer])


@pytest.fixture
async def engines(urls: Urls) -> AsyncIterator[list[AsyncEngine]]:
    """Two engines that share nothing, as those of two API processes."""
    found = [engine(urls.app), engine(urls.app)]
    yield found
    for it in found:
        await it.dispose()
