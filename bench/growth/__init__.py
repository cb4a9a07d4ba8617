"""How answers grow with a workspace: the second part of `make bench`."""
