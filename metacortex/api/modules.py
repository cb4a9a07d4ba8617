"""Which modules speak HTTP. A new module adds one name here."""

from collections.abc import Mapping

from metacortex.api import projects, tags, tasks
from metacortex.api.routes import Command, Module

MODULES: tuple[Module, ...] = (tasks.MODULE, projects.MODULE, tags.MODULE)

COMMANDS: Mapping[str, Command] = {
    command.name: command for module in MODULES for command in module.commands
}
"""By the command's name on disk, for batches."""

PLURALS: Mapping[str, str] = {module.stream_type: module.plural for module in MODULES}
