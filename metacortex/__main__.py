"""`python -m metacortex` is the console script."""

from metacortex.cli import main

if __name__ == "__main__":
    main()
