"""`python -m metacortex` is the console script."""

import sys

try:
    from metacortex.cli import main
except KeyboardInterrupt:  # imports take most of the first second
    sys.exit(130)

if __name__ == "__main__":
    main()
