"""What is drawn: pictures of figures that are kept in bench/results, each beside its peers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Bar(NamedTuple):
    """A figure of the last run: the heading of its table, its row and its column there.

    group: bars of one group stand together. whisker: the column of a second figure, such as the
    longest of what `column` has the median of.
    """

    label: str
    heading: str
    row: str
    column: str = "wall"
    group: str = ""
    whisker: str = ""


class Plot(NamedTuple):
    """A picture of figures of one bench. unit: s, KiB or a number. below: what to know of it."""

    name: str
    title: str
    bench: str
    unit: str
    page: str
    bars: tuple[Bar, ...]
    below: str = ""


def _drain() -> Iterator[Bar]:
    heading = "Replicas with nothing to do"
    for replicas in (10, 50, 100):
        for label, row in {
            "agtool with --key": "agtool with `--key`",
            "agtool": "agtool",
            "psql, the naive recipe": "psql, the naive recipe",
            "flock(1), one host only": "flock(1), one host only",
            "Python: connect, SELECT 1": "Python: connect, SELECT 1; no lock",
        }.items():
            there = row if replicas == 10 else f"{row}, {replicas}"
            yield Bar(label, heading, there, group=f"{replicas} replicas")


def _pause(column: str, whisker: str = "") -> tuple[Bar, ...]:
    rows = ["pause", "Kubernetes' pause", "catatonit -P", "tini + sleep", "dumb-init + sleep"]
    if not whisker:
        rows += ["sleep 3600", "tail -f /dev/null"]
    return tuple(Bar(row, "", row, column, whisker=whisker) for row in rows)


PLOTS = (
    Plot(
        "start",
        "What a start costs: time of the processor",
        "start",
        "s",
        "benchmarks.md#where-the-time-goes",
        (
            Bar("agtool --help", "Start", "`agtool --help`", "CPU"),
            Bar("agtool --version", "Start", "`agtool --version`", "CPU"),
            Bar("kubectl --help", "Start", "`kubectl --help`", "CPU"),
            Bar("python -c pass", "Start", "`python -c pass`", "CPU"),
        ),
    ),
    Plot(
        "migrate-once-no-work",
        "migrate-once: a run with no work",
        "migrate-once",
        "s",
        "benchmarks.md#a-run-with-no-work",
        (
            Bar(
                "agtool migrate-once -- true", "A run with no work", "`agtool migrate-once -- true`"
            ),
            Bar(
                "agtool with --key, done before",
                "The fast path",
                "`agtool migrate-once --key KEY -- true`, KEY done before",
            ),
            Bar(
                "Python: connect, SELECT 1",
                "The fast path",
                "Python: import psycopg2, connect, SELECT 1",
            ),
            Bar(
                "psql, the naive recipe",
                "A run with no work",
                "psql, the naive recipe around `true`",
            ),
            Bar("flock FILE true", "A run with no work", "`flock FILE true`"),
        ),
        "Slower than psql and flock(1), mostly by what Python takes to start. The naive recipe "
        "hangs in other cases (see below), and flock(1) excludes on one host only.",
    ),
    Plot(
        "migrate-once-handover",
        "migrate-once: from one replica to the next",
        "migrate-once",
        "s",
        "benchmarks.md#handover",
        tuple(
            Bar(f"agtool, {waiting} waiting", "Handover", waiting, "median", whisker="longest")
            for waiting in ("1", "5", "20")
        ),
        "The bar is the median, the line ends at the longest.",
    ),
    Plot(
        "migrate-once-replicas",
        "migrate-once: replicas with nothing to do, until the last has ended",
        "migrate-once",
        "s",
        "benchmarks.md#replicas-with-nothing-to-do",
        tuple(_drain()),
    ),
    Plot(
        "migrate-once-alembic",
        "migrate-once: from the end of a real Alembic upgrade to the end of the last replica",
        "migrate-once",
        "s",
        "benchmarks.md#replicas-with-a-real-alembic-upgrade",
        tuple(
            Bar(label, "Replicas with a real Alembic upgrade", row, "tail, median", whisker=longest)
            for longest in ("tail, longest",)
            for label, row in {
                "agtool with --key, 10 replicas": "agtool with `--key`",
                "agtool, 10 replicas": "agtool",
                "psql with NOWAIT, 10 replicas": "psql, mended: NOWAIT in a loop",
                "flock(1), 10 on one host": "flock(1), one host only",
                "Alembic alone, 1 replica": "Alembic alone, no lock",
            }.items()
        ),
        "The bar is the median, the line ends at the longest. The naive recipe with psql is not "
        "drawn: it hangs for good.",
    ),
    Plot(
        "le-staging",
        "le-staging verify, beside curl with the same roots",
        "le-staging",
        "s",
        "le-staging-benchmarks.md",
        tuple(
            Bar(label, heading, row, group=heading)
            for heading, rows in {
                "One host on loopback": {
                    "agtool le-staging verify": "`agtool le-staging verify HOST`",
                    "curl --cacert": "`curl --cacert ROOTS`",
                },
                "One host 100 ms away": {
                    "agtool le-staging verify": "`agtool le-staging verify HOST`",
                    "curl --cacert": "`curl --cacert ROOTS`",
                },
                "100 hosts at once": {
                    "agtool le-staging verify": "`agtool le-staging verify --from-file`",
                    "xargs -P 32 curl": "`xargs -P 32 curl`",
                },
            }.items()
            for label, row in rows.items()
        ),
    ),
    Plot(
        "ci-nodepool",
        "ci-nodepool: a taint for 5,000 nodes",
        "ci-nodepool",
        "s",
        "ci-nodepool.md#measured",
        tuple(
            Bar(label, "", row, column, group=row)
            for row in ("0 ms latency", "20 ms latency")
            for label, column in (
                ("agtool ci-nodepool taint", "agtool"),
                ("kubectl taint", "kubectl"),
            )
        ),
    ),
    Plot(
        "debug",
        "debug: from Enter to the prompt in a pod",
        "debug",
        "s",
        "../explanation/debug-pod.md#figures",
        (
            Bar("agtool debug", "", "Enter to prompt", "agtool debug"),
            Bar("kubectl run -it", "", "Enter to prompt", "kubectl"),
        ),
    ),
    Plot(
        "pause-memory",
        "pause: memory of all its processes",
        "pause",
        "KiB",
        "../../pause/README.md#figures",
        _pause("RSS KiB"),
    ),
    Plot(
        "pause-end",
        "pause: from SIGTERM to its end",
        "pause",
        "s",
        "../../pause/README.md#figures",
        _pause("SIGTERM to exit µs", "SIGTERM to exit µs 2"),
        "The bar is the median, the line ends at the 99th percentile. sleep and tail are not "
        "drawn: as PID 1 they ignore SIGTERM.",
    ),
)
