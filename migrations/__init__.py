"""Alembic's home: the environment and the versions of the schema."""
