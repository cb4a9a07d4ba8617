"""Drills: attacks on a real server, with somebody beside who only wants to work."""
