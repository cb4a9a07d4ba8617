"""Imports from files: a Markdown check list becomes projects and tasks."""
