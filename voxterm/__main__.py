"""`python -m voxterm` and the `voxterm` command."""

from __future__ import annotations

import sys


def main(argv: list[str] | None = None) -> int:
    """Run one command; its exit code: 0 done, 2 wrong usage or input, 1 failed."""
    from voxterm.cli import run_command

    return run_command(sys.argv[1:] if argv is None else argv)


if __name__ == "__main__":
    sys.exit(main())
