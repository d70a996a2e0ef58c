"""The metrics file of a real run, as a collector sees it at any time."""

import json
import shlex
import shutil
import signal
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agtool.migrate_once.metrics import EVERY
from tests.conftest import Database
from tests.e2e.conftest import Agtool, Gate, wait_until
from tests.servers.process import free_port


def value(file: Path, metric: str, **labels: str) -> float | None:
    """A sample; None: there is none. Raises ValueError if the file is not what Prometheus reads."""
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            if (
                sample.name == f"agtool_migrate_once_{metric}"
                and labels.items() <= sample.labels.items()
            ):
                return float(sample.value)
    return None


def now(file: Path, name: str) -> str | None:
    """Which of the values of a label is the one: of state, or of result."""
    for family in text_string_to_metric_families(file.read_text()):
        for sample in family.samples:
            if sample.name == f"agtool_migrate_once_{name}" and sample.value == 1:
                return str(sample.labels[name])
    return None


def test_the_life_of_a_run(agtool: Agtool, database: Database, gate: Gate, tmp_path: Path) -> None:
    first, second = tmp_path / "first.prom", tmp_path / "second.prom"
    run = ("migrate-once", "--key", "k", "--name", "shop")
    env = {"POD_NAME": "shop-1"}
    holder = agtool.start(
        *run, "--metrics-file", first, "--", *gate.command, url=database.url, env=env
    )
    gate.wait()
    waiter = agtool.start(
        *run, "--", "true", url=database.url, env={"AGTOOL_METRICS_FILE": str(second)}
    )
    waiter.wait_for("waiting for")
    assert (now(first, "state"), now(second, "state")) == ("running", "waiting")
    assert (now(first, "result"), now(second, "result")) == (None, None)
    assert value(first, "info", name="shop", key="k", place=f"shop-1 (pid {holder.pid})") == 1
    # Of both they go on, with nobody doing anything.
    wait_until(
        lambda: (value(first, "running_seconds") or 0) >= EVERY, "the command's time goes on"
    )
    wait_until(
        lambda: (value(second, "waiting_seconds") or 0) >= EVERY, "the waiter's time goes on"
    )
    gate.open()
    assert holder.wait().exit_code == waiter.wait().exit_code == 0
    assert (now(first, "result"), now(second, "result")) == ("ran", "already-done")
    assert (now(first, "state"), now(second, "state")) == ("ended", "ended")
    assert value(first, "exit_code") == 0
    assert value(second, "running_seconds") is None


@pytest.mark.parametrize(
    ("arguments", "end"),
    [
        (["--", "sh", "-c", "exit 3"], (3, "ran")),
        (["--", "/no/such/program"], (127, "cannot-run")),
        (["--wait", "--key", "k", "--wait-timeout", "1s"], (124, "waited-too-long")),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_ends(
    arguments: list[str], end: tuple[int, str], agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    code, result = end
    file = tmp_path / "a.prom"
    done = agtool.run("migrate-once", "--metrics-file", file, *arguments, url=database.url)
    assert (done.exit_code, value(file, "exit_code")) == (code, code)
    assert (now(file, "state"), now(file, "result")) == ("ended", result)


def test_a_signal_and_an_error(agtool: Agtool, tmp_path: Path) -> None:
    file = tmp_path / "a.prom"
    url = f"postgresql://app:secret@127.0.0.1:{free_port()}/app"
    run = ("migrate-once", "--metrics-file", file)
    running = agtool.start(*run, "--", "true", url=url)
    running.wait_for("cannot connect")
    running.send(signal.SIGTERM)
    assert running.wait().exit_code == 143
    assert (now(file, "result"), value(file, "exit_code")) == ("interrupted", 143)

    done = agtool.run(*run, "--connect-timeout", "0", "--", "true", url=url)
    assert (done.exit_code, now(file, "result"), value(file, "exit_code")) == (125, "error", 125)


def test_a_lost_lock(agtool: Agtool, database: Database, tmp_path: Path) -> None:
    file = tmp_path / "a.prom"
    running = agtool.start(
        "migrate-once", "--metrics-file", file, "--", "sleep", "600", url=database.url
    )
    running.wait_for("running sleep")
    database.server.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{database.name}' AND application_name LIKE 'agtool migrate-once%'"
    )
    assert running.wait().exit_code == 125
    assert (now(file, "result"), value(file, "exit_code")) == ("lock-lost", 125)


def test_what_cannot_be_written_is_told_before_the_command(
    agtool: Agtool, database: Database, tmp_path: Path
) -> None:
    result = tmp_path / "result"
    done = agtool.run(
        *("migrate-once", "--metrics-file", "/no/such/folder/a.prom", "--result-file", result),
        *("--", "touch", tmp_path / "ran"),
        url=database.url,
    )
    assert done.exit_code == 125
    assert "cannot write the metrics file /no/such/folder/a.prom" in done.stderr
    assert json.loads(result.read_text())["errors"][0]["code"] == "configuration"
    assert not (tmp_path / "ran").exists()


def test_one_file_for_both(agtool: Agtool, tmp_path: Path) -> None:
    done = agtool.run(
        *("migrate-once", "--metrics-file", tmp_path / "a", "--result-file", tmp_path / "a"),
        *("--", "true"),
        url=f"sqlite:///{tmp_path}/app.db",
    )
    assert done.exit_code == 125
    assert "name the same file" in done.stderr


def test_a_disk_that_becomes_full(agtool: Agtool, tmp_path: Path) -> None:
    """The command's exit code stays, the file stays what it was, and it is told once."""
    unshare = shutil.which("unshare")
    probe = agtool.run(program=[unshare or "false", "--mount", "--map-root-user", "true"])
    if probe.exit_code != 0:
        pytest.skip("a file system of its own cannot be mounted here")
    disk = tmp_path / "disk"
    disk.mkdir()
    agtool_run = (
        f"{shlex.quote(sys.executable)} -m agtool migrate-once --metrics-file {disk}/a.prom"
    )
    # The command fills the disk when the file tells of it, and stays until that would have been
    # written again.
    script = (
        f"mount -t tmpfs -o size=64k none {disk} || exit 99\n"
        f"{agtool_run} -- sh -c 'until grep -q running_seconds {disk}/a.prom; do sleep 0.1; done; "
        f"cat /dev/zero > {disk}/full; sleep {EVERY * 1.5}; exit 5'\n"
        f"code=$?; cat {disk}/a.prom; ls -A {disk}; exit $code"
    )
    done = agtool.run(
        program=[unshare or "", "--mount", "--map-root-user", "sh", "-c", script],
        url=f"sqlite:///{tmp_path}/app.db",
    )
    assert done.exit_code == 5, done.stderr
    assert done.stderr.count("cannot write the metrics file") == 1
    assert "No space left on device" in done.stderr
    *text, first, second = done.stdout.splitlines()
    assert [first, second] == ["a.prom", "full"]
    families = list(text_string_to_metric_families("\n".join(text) + "\n"))
    assert families[-1].name == "agtool_migrate_once_running_seconds"
