"""A Kubernetes cluster to play with, and what the tests need for theirs.

build          build Kubernetes into the cache, unless it has been done; with --beside COMMAND...
               run a command meanwhile, and end with its exit code if that is not 0
lock           remake go.mod and go.sum of what is built, from the versions in recipe.py
up             start a cluster, or what of it does not run, and say how to use it
down           stop it, and leave nothing
status         say what of it runs
images FOLDER  write archives of the images that tests use, for another cluster to import
"""

import argparse
import os
import shlex
import signal
import subprocess
import sys
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from tests.cluster import build, images
from tests.cluster.cluster import Cluster
from tests.cluster.instances import locked, remove, remove_leftovers
from tests.cluster.lock import lock
from tests.cluster.places import instances
from tests.programs import carry_out, to_its_end, voice
from tests.servers.process import ServerFailed, ServerUnavailable


def mine() -> Path:
    """The folder of the cluster that `up` starts."""
    return instances() / "mine"


def up() -> None:
    """Start the cluster. What makes a kubectl of its version use it goes to stdout, for `eval`."""
    programs = build.build()
    cluster = Cluster(mine(), programs)
    _say("starting what does not run yet (about 10 seconds for all) ...")
    with _alone():
        cluster.start()
    major, minor = cluster.version
    _say(f"Kubernetes {major}.{minor} runs at {cluster.url}; its logs are in {mine() / 'log'}.")
    _say("It stays until `make cluster-down`. To use it:")
    sys.stdout.write(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}\n")
    sys.stdout.write(f"export PATH={shlex.quote(str(programs.kubernetes))}:$PATH\n")


def down() -> None:
    """Stop the cluster."""
    with _alone():
        remove(mine())


def build_beside(command: list[str]) -> int:
    """Build while a command runs, which goes first, and then to the end; return the exit code.

    That of the command, if it is not 0: then nobody waits for the build. The next one goes on.
    """
    argv = ["nice", "-n", "19", sys.executable, "-m", "tests.cluster", "build"]
    null = subprocess.DEVNULL
    with subprocess.Popen(argv, stdin=null, stderr=null, start_new_session=True) as building:
        try:
            code = to_its_end(command)
        finally:
            # Not SIGINT, which is ignored by whatever a shell has started in the background.
            with suppress(ProcessLookupError):
                os.killpg(building.pid, signal.SIGTERM)
    if not code:
        # It goes on from there, says how far it is, and what was wrong.
        build.build()
    return code


def status() -> bool:
    """Say what runs; whether all does."""
    processes = Cluster(mine(), build.programs()).processes()
    for name, pid in processes.items():
        sys.stdout.write(f"{name:<24} {pid or 'does not run'}\n")
    return all(processes.values())


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("lock", "up", "down", "status"):
        commands.add_parser(name)
    building = commands.add_parser("build")
    building.add_argument("--beside", nargs=argparse.REMAINDER, metavar="COMMAND", default=[])
    commands.add_parser("images").add_argument("folder", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    try:
        return _run(given)
    except ServerUnavailable as error:
        _say(f"cluster: {error}")
        if given.command != "build" or os.environ.get("CI"):
            return 1
        _say("Tests that need it are skipped.")
    except ServerFailed as error:
        _say(f"cluster: {error}")
        return 1
    return 0


def _run(given: argparse.Namespace) -> int:
    instances().mkdir(parents=True, exist_ok=True)
    with locked(instances() / "lock"):
        remove_leftovers()
    if given.command == "build":
        if given.beside:
            return build_beside(given.beside)
        build.build()
    elif given.command == "lock":
        lock(_say)
    elif given.command == "images":
        for path in images.write(given.folder):
            _say(f"written: {path}")
    elif given.command == "up":
        up()
    elif given.command == "down":
        down()
    elif not status():
        return 1
    return 0


def _alone() -> AbstractContextManager[None]:
    return locked(instances() / "mine.lock", lambda: _say("waiting for another `make cluster` ..."))


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    carry_out(main, voice("cluster"))
