"""A Kubernetes cluster to play with, and what tests need for theirs.

build          build Kubernetes into the cache, unless it has been done
up             start a cluster, or what of it does not run, and say how to use it
down           stop it, and leave nothing
status         say what of it runs
images FOLDER  write archives of the images that tests use, for another cluster to import
"""

import argparse
import sys
from pathlib import Path

from tests.cluster import build, images
from tests.cluster.cluster import Cluster
from tests.cluster.instances import locked, remove, remove_leftovers
from tests.cluster.places import instances
from tests.servers.process import ServerFailed, ServerUnavailable


def mine() -> Path:
    """The folder of the cluster that `up` starts."""
    return instances() / "mine"


def up() -> int:
    """Start the cluster; the command to use it goes to stdout, for `eval`."""
    cluster = Cluster(mine(), build.build())
    with locked(instances() / "mine.lock"):
        cluster.start()
    major, minor = cluster.version
    _say(f"Kubernetes {major}.{minor} runs at {cluster.url}; its logs are in {mine() / 'log'}")
    sys.stdout.write(f"export KUBECONFIG={cluster.kubeconfig}\n")
    return 0


def down() -> int:
    """Stop the cluster."""
    with locked(instances() / "mine.lock"):
        remove(mine())
    return 0


def status() -> int:
    """Say what runs; 1 if something of it does not."""
    cluster = Cluster(mine(), build.programs())
    states = cluster.states()
    for name, pid in states.items():
        sys.stdout.write(f"{name:<24} {pid or 'does not run'}\n")
    return 0 if all(states.values()) else 1


def main() -> int:
    """Return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.cluster",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in ("build", "up", "down", "status"):
        commands.add_parser(name)
    commands.add_parser("images").add_argument("folder", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    try:
        instances().mkdir(parents=True, exist_ok=True)
        with locked(instances() / "lock"):
            remove_leftovers()
        if given.command == "build":
            build.build()
        elif given.command == "images":
            for path in images.write(given.folder):
                _say(f"written: {path}")
        else:
            return {"up": up, "down": down, "status": status}[given.command]()
    except (ServerUnavailable, ServerFailed) as error:
        _say(str(error))
        return 1
    return 0


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main())
