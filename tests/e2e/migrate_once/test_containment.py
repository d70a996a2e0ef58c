"""What the system does not let agtool hold together is said: once on stderr, and in the result."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import needed
from tests.e2e import seccomp
from tests.e2e.conftest import Agtool, wait_until
from tests.servers.process import ServerUnavailable

ROOT = Path(__file__).parents[3]

AGTOOL = [sys.executable, "-m", "agtool"]
SUBREAPER, PDEATHSIG = "36", "1"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/shop.db"


@pytest.fixture
def result(tmp_path: Path) -> Path:
    return tmp_path / "result.json"


def data(result: Path) -> dict[str, Any]:
    """The result that was written."""
    found: dict[str, Any] = json.loads(result.read_text())["data"]
    return found


def without_prctl(option: str) -> list[str]:
    """A program that runs agtool where prctl is refused with this option, or with `all`."""
    with needed():
        if platform.machine() not in seccomp.PRCTL or sys.platform != "linux":
            raise ServerUnavailable("the filter is written for Linux on x86_64 and aarch64")
    script = str(ROOT / "tests" / "e2e" / "seccomp.py")
    return [sys.executable, script, option, *AGTOOL]


def with_mounts(script: str) -> list[str]:
    """A program that runs agtool after a script in a mount namespace of its own."""
    with needed():
        if os.getuid() != 0 or shutil.which("unshare") is None:
            raise ServerUnavailable("a mount namespace needs root and unshare(1)")
    return ["unshare", "--mount", "sh", "-c", f'{script}; exec "$@"', "sh", *AGTOOL]


@pytest.mark.parametrize(
    ("option", "names"),
    [
        ("all", ["PR_SET_CHILD_SUBREAPER", "PR_SET_PDEATHSIG"]),
        (SUBREAPER, ["PR_SET_CHILD_SUBREAPER"]),
        (PDEATHSIG, ["PR_SET_PDEATHSIG"]),
    ],
)
def test_what_seccomp_refuses_is_said_once(
    option: str, names: list[str], agtool: Agtool, url: str, result: Path
) -> None:
    done = agtool.run(
        "migrate-once", "--key", "k", "--result-file", result, "--", "true",
        url=url, program=without_prctl(option),
    )  # fmt: skip
    assert done.exit_code == 0
    found = data(result)
    assert found["marked_done"] is True
    assert [warning["code"] for warning in found["warnings"]] == ["uncontained"] * len(names)
    for name, warning in zip(names, found["warnings"], strict=True):
        assert name in warning["message"]
        assert "Operation not permitted" in warning["message"]
        assert "seccomp" in warning["hint"]
        assert done.stderr.count(warning["message"]) == 1
    assert done.stderr.count("warning:") == len(names)


def test_nothing_is_said_where_all_is_well(agtool: Agtool, url: str, result: Path) -> None:
    done = agtool.run("migrate-once", "--result-file", result, "--", "true", url=url)
    assert "warning" not in done.stderr
    assert data(result)["warnings"] == []


def test_a_command_whose_keeper_is_killed_ends_though_prctl_is_refused(
    agtool: Agtool, url: str, tmp_path: Path
) -> None:
    """Agtool still knows the command's process group; nothing else could reach it."""
    pid = tmp_path / "pid"
    script = f"echo $$ > {pid}; exec sleep 600"
    running = agtool.start(
        "migrate-once", "--", "sh", "-c", script, url=url, program=without_prctl(PDEATHSIG)
    )
    wait_until(lambda: pid.exists() and pid.read_text(), "the command runs")
    (keeper,) = map(
        int, Path(f"/proc/{running.pid}/task/{running.pid}/children").read_text().split()
    )
    os.kill(keeper, signal.SIGKILL)
    assert running.wait().exit_code == 125
    assert not Path(f"/proc/{int(pid.read_text())}").exists()


NO_PROC = "umount --lazy /proc"


def test_without_proc_the_process_group_is_ended(agtool: Agtool, url: str, result: Path) -> None:
    done = agtool.run(
        "migrate-once", "--key", "k", "--result-file", result,
        "--", "sh", "-c", "trap '' TERM; (sleep 600; :) & exit 0",
        url=url, program=with_mounts(NO_PROC),
    )  # fmt: skip
    assert done.exit_code == 0
    (warning,) = data(result)["warnings"]
    assert "/proc" in warning["message"]
    assert done.stderr.count(warning["message"]) == 1
    assert "the command left processes behind" in done.stderr
    assert data(result)["marked_done"] is False


def test_the_proc_of_another_namespace_names_no_processes_of_ours(
    agtool: Agtool, url: str, result: Path
) -> None:
    with needed():
        if os.getuid() != 0 or shutil.which("unshare") is None:
            raise ServerUnavailable("a PID namespace needs root and unshare(1)")
    # Without --mount-proc: numbers there are those of the processes outside.
    done = agtool.run(
        "migrate-once", "--result-file", result, "--", "sh", "-c", "(sleep 600; :) & exit 0",
        url=url, program=["unshare", "--pid", "--fork", "--kill-child", *AGTOOL],
    )  # fmt: skip
    assert done.exit_code == 0
    (warning,) = data(result)["warnings"]
    assert "/proc" in warning["message"]
    assert "PID namespace" in warning["hint"]


def test_a_command_of_another_user_is_waited_for_and_named(agtool: Agtool, folder: Path) -> None:
    """As with sudo: agtool may not end what the command has become.

    Here agtool is root, who can read it wherever it lies, without the right to signal others.
    """
    with needed():
        if os.getuid() != 0 or shutil.which("setpriv") is None:
            raise ServerUnavailable("a program that changes the user needs root and setpriv(1)")
    folder.chmod(0o777)
    begun, go, result = folder / "begun", folder / "go", folder / "result.json"
    os.mkfifo(go)
    go.chmod(0o666)
    script = f": > {begun}; read -r line < {go}"  # one process, which is the shell
    other = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    running = agtool.start(
        "migrate-once", "--result-file", result, "--", *other, "sh", "-c", script,
        url=f"sqlite:///{folder}/shop.db",
        program=["setpriv", "--bounding-set=-kill", "--inh-caps=-kill", *AGTOOL],
    )  # fmt: skip
    wait_until(begun.exists, "the command runs as another user")
    running.send(signal.SIGTERM)
    running.wait_for("another user's")
    assert running.running()
    go.write_text("go\n")
    assert running.wait().exit_code == 0
    (warning,) = data(result)["warnings"]
    assert "agtool cannot end it" in warning["message"]


def test_the_filter_refuses_and_lets_others_through() -> None:
    """The tests above would show nothing if the filter refused nothing, or everything."""
    ask = "import ctypes; print(*(ctypes.CDLL(None).prctl(n, 1, 0, 0, 0) for n in (36, 4)))"
    for option, answers in (("all", "-1 -1"), (SUBREAPER, "-1 0"), (PDEATHSIG, "0 0")):
        program = without_prctl(option)[:3]
        run = subprocess.run(
            [*program, sys.executable, "-c", ask], capture_output=True, text=True, check=True
        )
        assert run.stdout.strip() == answers
