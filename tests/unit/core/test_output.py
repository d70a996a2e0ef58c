"""Messages, whatever becomes of their reader."""

import os
import subprocess
import sys
import time

SAY = "from agtool.core.output import say; say('hello\\nworld'); print('went on')"


def test_a_message_is_marked_as_ours() -> None:
    run = subprocess.run([sys.executable, "-c", SAY], capture_output=True, text=True, check=True)
    assert run.stderr == "agtool: hello\nagtool: world\n"


def test_a_full_pipe_does_not_hold_us_up() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with os.fdopen(writer, "wb", buffering=0) as pipe:
        while pipe.write(b"x" * 65536):
            pass
        os.set_blocking(writer, True)
        began = time.monotonic()
        run = subprocess.run(
            [sys.executable, "-c", SAY], stderr=pipe, stdout=subprocess.PIPE, text=True, check=True
        )
    os.close(reader)
    assert run.stdout == "went on\n"
    assert time.monotonic() - began < 30


def test_a_full_disk_does_not_end_us() -> None:
    run = subprocess.run(
        ["sh", "-c", 'exec "$0" -c "$1" 2>/dev/full', sys.executable, SAY],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (run.returncode, run.stdout) == (0, "went on\n")
