"""Whose process a session is, where /proc hides those of others."""

import os
import subprocess
import sys

from tests.conftest import needed
from tests.servers.process import ServerUnavailable, find_program

_NOBODY = 65534

_LOOK = f"""
import os
from agtool.debug.pod.process import identity, is_gone

ours = identity()
if not (ended := os.fork()):
    os._exit(0)
os.waitpid(ended, 0)
if not (nobody := os.fork()):
    os.setgroups([])
    os.setgid({_NOBODY})
    os.setuid({_NOBODY})
    place, pid, started = ours.rsplit("/", 2)
    print(os.path.exists(f"/proc/{{pid}}"), is_gone(ours), is_gone(f"{{place}}/{{ended}}/1"))
    print(is_gone(f"{{place}}/{{10**30}}/1"), flush=True)
    os._exit(0)
os.waitpid(nobody, 0)
"""


def test_a_process_that_is_hidden_has_not_ended() -> None:
    with needed():
        if os.geteuid() != 0:
            raise ServerUnavailable("a mount namespace needs root")
        # In a PID namespace of its own: before Linux 5.8 the option holds for all of one.
        hiding = (
            *(str(find_program("unshare")), "--mount", "--pid", "--fork", "sh", "-c"),
            *('mount -t proc -o hidepid=2 proc /proc && exec "$@"', "sh"),
        )
        tried = subprocess.run([*hiding, "true"], capture_output=True, text=True, check=False)
        if tried.returncode:
            raise ServerUnavailable(f"/proc cannot be mounted here: {tried.stderr}")
    words = [*hiding, sys.executable, "-c", _LOOK]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    # There, but not to be seen; and what has ended is still known to have ended.
    assert done.stdout.split() == ["False", "False", "True", "False"], done.stderr
