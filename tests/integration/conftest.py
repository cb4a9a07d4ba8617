"""What the machine's tests share: the engines of two processes, a used workspace."""

from collections.abc import AsyncIterator
from uuid import UUID, uuid4

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from metacortex.commands import tasks
from metacortex.commands.bus import Bus
from metacortex.kernel.database import engine
from metacortex.queries.projector import Projector
from tests.conftest import Urls
from tests.integration.walking import unit


@pytest.fixture
async def engines(urls: Urls) -> AsyncIterator[list[AsyncEngine]]:
    """Two engines that share nothing, as those of two API processes."""
    found = [engine(urls.app), engine(urls.app)]
    yield found
    for it in found:
        await it.dispose()


@pytest.fixture
async def used(writes: AsyncEngine, projector: Projector, workspace: UUID) -> UUID:
    """A workspace of one task, with a row in every table that this writes to."""
    make = tasks.CreateTask(task_id=uuid4(), title="Kept")
    await Bus(writes).execute([unit(workspace, make)])
    await projector.turn([workspace])
    return workspace
