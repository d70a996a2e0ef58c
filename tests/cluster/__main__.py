"""A Kubernetes cluster to play with, and what the tests need for theirs.

build          build Kubernetes into the cache, unless it has been done
lock           remake go.mod and go.sum of what is built, from the versions in recipe.py
up             start a cluster, or what of it does not run, and say how to use it
down           stop it, and leave nothing
status         say what of it runs
images FOLDER  write archives of the images that tests use, for another cluster to import
"""

import argparse
import os
import sys
from contextlib import AbstractContextManager
from pathlib import Path

from tests.cluster import build, images
from tests.cluster.cluster import Cluster
from tests.cluster.instances import locked, remove, remove_leftovers
from tests.cluster.lock import lock
from tests.cluster.places import instances
from tests.servers.process import ServerFailed, ServerUnavailable


def mine() -> Path:
    """The folder of the cluster that `up` starts."""
    return instances() / "mine"


def up() -> None:
    """Start the cluster. What makes kubectl use it goes to stdout, for `eval`."""
    cluster = Cluster(mine(), build.build())
    _say("starting what does not run yet (about 15 seconds for all) ...")
    with _alone():
        cluster.start()
    major, minor = cluster.version
    _say(f"Kubernetes {major}.{minor} runs at {cluster.url}; its logs are in {mine() / 'log'}.")
    _say("It stays until `make cluster-down`. To use it:")
    sys.stdout.write(f"export KUBECONFIG={cluster.kubeconfig}\n")


def down() -> None:
    """Stop the cluster."""
    with _alone():
        remove(mine())


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
    for name in ("build", "lock", "up", "down", "status"):
        commands.add_parser(name)
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
    except KeyboardInterrupt:
        _say("\ncluster: interrupted; the next time it goes on from here")
        return 130
    return 0


def _run(given: argparse.Namespace) -> int:
    instances().mkdir(parents=True, exist_ok=True)
    with locked(instances() / "lock"):
        remove_leftovers()
    if given.command == "build":
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
    sys.exit(main())
