"""Nothing but the screen may write to the terminal."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

PROGRAM = """
import os, sys
from pathlib import Path
from voxterm.tui.terminal import screen_alone

with screen_alone(Path(sys.argv[1])):
    print("the picture", file=sys.__stderr__, flush=True)
    os.write(2, b"printed from C\\n")
    os.system("echo printed by a child >&2")
os.write(2, b"after\\n")
print("restored", file=sys.__stderr__)
"""


def printed_with(log: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(log)], capture_output=True, text=True, check=True
    )
    assert done.stdout == ""
    return done.stderr


def test_what_libraries_print_goes_to_the_log(tmp_path: Path) -> None:
    log = tmp_path / "stderr.log"
    assert printed_with(log) == "the picture\nafter\nrestored\n"
    assert log.read_text() == "printed from C\nprinted by a child\n"


def test_a_log_that_cannot_be_written_spoils_nothing(tmp_path: Path) -> None:
    assert printed_with(tmp_path / "missing" / "stderr.log") == "the picture\nafter\nrestored\n"
