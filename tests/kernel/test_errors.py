"""The tree of errors in the docstring is the tree of the classes."""

import re

from metacortex.kernel import errors
from metacortex.kernel.errors import MetaCortexError


def drawn() -> dict[str, str]:
    """Return the parent of each class that the docstring draws."""
    parents: dict[str, str] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := re.match(r"    ([│├└─ ]*)(\w+)(?:  |$)", line):
            depth = len(found[1]) // 4
            path[depth:] = [found[2]]
            if depth:
                parents[found[2]] = path[depth - 1]
    return parents


def test_the_docstring_draws_every_class_under_its_parent() -> None:
    classes = [it for it in vars(errors).values() if isinstance(it, type)]
    actual = {
        cls.__name__: cls.__mro__[1].__name__
        for cls in classes
        if issubclass(cls, MetaCortexError) and cls is not MetaCortexError
    }
    assert drawn() == actual
