"""Which decider runs which command. A new module adds one name, a new command none."""

from collections.abc import Mapping
from typing import Any

from metacortex.commands import people, projects, tags, tasks
from metacortex.commands.undo import REVERT, UNDO, Undo
from metacortex.events import codec
from metacortex.kernel.decider import Decider, Revert

MODULES = (tags, projects, tasks, people)

DECIDERS: Mapping[str, Decider] = {
    module.DECIDER.stream_type: module.DECIDER for module in MODULES
}
"""By stream type."""

COMMANDS: Mapping[str, type[Any]] = {
    UNDO: Undo,
    REVERT: Revert,
    **{
        name: command
        for decider in DECIDERS.values()
        for name, command in decider.commands.items()
    },
}
"""By the command's name on disk."""

NAMES: Mapping[type[Any], str] = {cls: name for name, cls in COMMANDS.items()}

DECIDER_OF: Mapping[type[Any], Decider] = {
    command: decider
    for decider in DECIDERS.values()
    for command in decider.commands.values()
}


STREAM_OF: Mapping[type[Any], str] = {
    event: name.partition(".")[0] for event, name in codec.NAMES.items()
}
"""The stream type that an event belongs to: its name up to the dot."""
