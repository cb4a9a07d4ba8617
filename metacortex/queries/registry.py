"""Which projection folds which stream. A new module adds one name here."""

from collections.abc import Mapping

from metacortex.queries import people, projects, tags, tasks
from metacortex.queries.tables import Projection

MODULES = (tags, projects, tasks, people)

PROJECTIONS: Mapping[str, Projection] = {
    module.PROJECTION.stream_type: module.PROJECTION for module in MODULES
}
"""By stream type."""
