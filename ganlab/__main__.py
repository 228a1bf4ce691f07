"""`python -m ganlab`, and the `ganlab` script."""

from ganlab.commands.cli import main

__all__ = ["main"]

if __name__ == "__main__":
    main()
