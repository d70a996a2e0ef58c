"""How the process ends: with all that is due at exit, and without taking Python apart."""

import subprocess
import sys

import pytest

CODE = """
import atexit, os, sys, threading

class Part:
    def __del__(self, write=os.write):
        write(1, b"taken apart")

sys.part = Part()
# As one that waits for an answer.
threading.Thread(target=threading.Event().wait, daemon=True).start()

import agtool.__main__ as command
atexit.register(print, "exit handler")
command.run = lambda: CODE
code = command.main()
print("written late", end="")
sys.exit(code)
"""


@pytest.mark.parametrize("code", [0, 143])
def test_the_end(code: int) -> None:
    argv = [sys.executable, "-c", CODE.replace("CODE", str(code))]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (code, "")
    assert done.stdout == "written lateexit handler\n"


def test_who_only_imports_it_ends_as_usual() -> None:
    argv = [sys.executable, "-c", CODE.replace("code = command.main()", "code = 3")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 3
    assert "taken apart" in done.stdout
