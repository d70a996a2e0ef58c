"""Input and output are whole, whatever a command does with them, and the end always comes."""

import hashlib
import random
import subprocess
from collections.abc import Sequence

import pytest

from tests.e2e.conftest import clean_environment, wait_until
from tests.e2e.debug.conftest import Person, name_in
from tests.e2e.debug.test_beside import make_pod

MIB = 1024 * 1024
DATA = random.Random(5).randbytes(MIB)  # noqa: S311  # no secret
SUM = hashlib.sha256(DATA).hexdigest()

# A command that leaves its stdout, with which containerd would close its stdin.
SILENT = ("sh", "-c", 'exec cat >"$0"')
TIMES = 5


@pytest.fixture
def kept(person: Person) -> str:
    """Give the name of a pod that is kept."""
    return name_in(person.run("--keep").stderr)


def fed(person: Person, *arguments: str, data: bytes = DATA) -> subprocess.CompletedProcess[bytes]:
    done = person.piped(data, *arguments)
    assert b"Traceback" not in done.stderr
    return done


def test_piped_input_is_whole(person: Person, kept: str) -> None:
    for number in range(TIMES):
        file = f"/dev/shm/{number}"  # noqa: S108  # in the pod
        done = fed(person, "--attach", kept, "--", *SILENT, file)
        assert done.returncode == 0, done.stderr
    listed = person.exec(kept, "sh", "-c", "sha256sum /dev/shm/*").splitlines()
    assert [line.split()[0] for line in listed] == [SUM] * TIMES


@pytest.mark.parametrize("way", ["a new pod", "a target", "an image without a shell"])
def test_in_every_kind_of_pod(person: Person, way: str) -> None:
    if way == "a target":
        make_pod(person, {})
        done = fed(
            person,
            *("--target", "pod/web-0", "--"),
            *("sh", "-c", "cat >/dev/shm/f 2>/dev/null; exec sha256sum /dev/shm/f"),
        )
        assert done.stdout.split()[:1] == [SUM.encode()], done.stderr
    elif way == "a new pod":
        script = "exec 2>&-; (exec cat >/dev/shm/f); sha256sum /dev/shm/f"
        done = fed(person, "--", "sh", "-c", script)
        assert done.stdout.split()[:1] == [SUM.encode()], done.stderr
    else:
        images = person.cluster.images
        done = fed(person, "--image", images.pause, "--", "/pause", "--version")
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith(b"pause 1.")
    assert done.returncode == 0


NOT_READ = [
    (["sh", "-c", "cat >/nowhere/f"], 1),
    (["false"], 1),
    (["sh", "-c", "exec 0<&-; exit 7"], 7),
    (["head", "-c", "10"], 0),
    (["no-such-program"], 127),
]


def test_a_command_that_does_not_read_its_input(person: Person, kept: str) -> None:
    for command, code in NOT_READ:
        done = fed(person, "--attach", kept, "--", *command, data=8 * DATA)
        assert done.returncode == code, (command, done.stderr)


@pytest.mark.parametrize(("command", "code"), NOT_READ)
def test_likewise_in_a_new_pod(person: Person, command: Sequence[str], code: int) -> None:
    done = fed(person, "--", *command, data=8 * DATA)
    assert done.returncode == code, done.stderr


def test_output_is_whole_though_its_reader_is_slow(person: Person) -> None:
    # The command ends long before its output has been read; see test_streams for how slow.
    total = 4 * MIB
    argv = person.argv("--", "head", "-c", str(total), "/dev/zero")
    script = '"$@" </dev/null | { sleep 3; wc -c; }; exit ${PIPESTATUS[0]}'
    done = subprocess.run(
        ["bash", "-c", script, "bash", *argv],
        env=clean_environment(person.env),
        capture_output=True,
        timeout=90,
        check=False,
    )
    assert (done.returncode, int(done.stdout)) == (0, total), done.stderr


def test_a_command_ends_with_its_agtool(person: Person, kept: str) -> None:
    running = person.start("--", "sh", "-c", "echo up >&2; exec sleep 600")
    running.wait_for("up")
    name = name_in(running.stderr)
    running.kill()
    wait_until(lambda: "sleep 600" not in person.exec(name, "ps"), "the command is ended")
    argv = ("--attach", kept, "--", "sh", "-c", "echo up >&2; exec sleep 601")
    running = person.start(*argv)
    running.wait_for("up")
    running.kill()
    wait_until(lambda: "sleep 601" not in person.exec(kept, "ps"), "the command is ended")


@pytest.mark.parametrize("where", [(), ("--target", "pod/web-0")], ids=["pause", "a shell"])
def test_a_command_that_lists_processes(person: Person, where: tuple[str, ...]) -> None:
    # The mark stands in the command line of what holds its streams, and is no end there.
    if where:
        make_pod(person, {})
    script = "cat /proc/[0-9]*/cmdline | tr '\\0' ' '; echo; echo last; exit 5"
    done = person.run(*where, "--", "sh", "-c", script)
    assert done.exit_code == 5, done.stderr
    assert "agtool-end-" in done.stdout
    assert done.stdout.endswith("\nlast\n"), done.stdout
