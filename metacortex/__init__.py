"""MetaCortex: a provable, fast CQRS backend for a life OS."""

__version__ = "0.1.0"
