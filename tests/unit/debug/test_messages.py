"""The messages of exec: channels, sizes, and how a command ended."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.kube.channels import CLOSE, RESIZE, STDIN, STDOUT
from agtool.core.kube.ended import Ended, read_status
from agtool.debug.session.messages import after_output, decode, encode, size_message


@given(st.integers(0, 255), st.binary(max_size=4096))
def test_what_is_encoded_is_decoded(channel: int, data: bytes) -> None:
    message = encode(channel, data)
    assert len(message) == len(data) + 1
    found, rest = decode(message)
    assert (found, bytes(rest)) == (channel, data)


@given(st.binary(max_size=64))
def test_any_message_has_a_channel(message: bytes) -> None:
    channel, data = decode(message)
    assert 0 <= channel <= 255
    assert bytes(data) == message[1:]


def test_an_empty_message_is_no_output() -> None:
    channel, data = decode(b"")
    assert (channel, bytes(data)) == (STDOUT, b"")


def test_the_end_of_input_is_what_client_go_sends() -> None:
    assert encode(CLOSE, bytes((STDIN,))) == b"\xff\x00"


@given(st.integers(1, 65535), st.integers(1, 65535))
def test_sizes(columns: int, rows: int) -> None:
    channel, data = decode(size_message(columns, rows))
    assert channel == RESIZE
    assert json.loads(bytes(data)) == {"Width": columns, "Height": rows}


def exit_status(code: object) -> dict[str, object]:
    cause = {"reason": "ExitCode", "message": code}
    return {"status": "Failure", "reason": "NonZeroExitCode", "details": {"causes": [cause]}}


@given(st.integers(0, 255))
def test_exit_codes_pass_through(code: int) -> None:
    assert read_status(json.dumps(exit_status(str(code))).encode()) == Ended(code)


RUNC = (
    "Internal error occurred: error executing command in container: failed to exec in container: "
    'failed to start exec "7219c5e8": OCI runtime exec failed: exec failed: unable to start '
    "container process: "
)
OLD = (
    "OCI runtime exec failed: exec failed: container_linux.go:380: starting container process "
    "caused: "
)
CRUN = (
    "crun: executable file `nope` not found in $PATH: No such file or directory: OCI runtime "
    "attempted to invoke a command that was not found"
)
NONE = 'exec: "/no": stat /no: no such file or directory'


@pytest.mark.parametrize(
    "words",
    [
        (
            "unable to create new parent process: namespace path: lstat /proc/27446/ns/ipc: "
            "no such file or directory"
        ),
        (
            "unable to start container process: error adding pid 9 to cgroups: open "
            "/sys/fs/cgroup/kubepods/cgroup.procs: no such file or directory"
        ),
        "cannot exec in a stopped container",
    ],
)
def test_a_container_that_ends_just_then_is_no_missing_program(words: str) -> None:
    message = f"failed to exec in container: OCI runtime exec failed: exec failed: {words}: unknown"
    status = {"status": "Failure", "message": message}
    assert read_status(json.dumps(status).encode()).exit_code is None


@pytest.mark.parametrize(
    ("message", "code", "words"),
    [
        (
            f'{RUNC}exec: "nope": executable file not found in $PATH: unknown',
            127,
            'exec: "nope": executable file not found in $PATH',
        ),
        (
            f'{RUNC}exec: "/etc": permission denied: unknown',
            126,
            'exec: "/etc": permission denied',
        ),
        (f"{RUNC}{NONE}: unknown", 127, NONE),
        (f"{OLD}exec format error: unknown", 126, "exec format error"),
        (CRUN, 127, CRUN),
        ("container not running (7219)", None, "container not running (7219)"),
        ("permission denied", None, "permission denied"),
    ],
)
def test_what_cannot_be_run(message: str, code: int | None, words: str) -> None:
    status = {"status": "Failure", "reason": "InternalError", "message": message}
    assert read_status(json.dumps(status).encode()) == Ended(code, words)


@pytest.mark.parametrize(
    ("output", "told"),
    [
        (b"exec /etc/passwd: exec format error\n", "exec format error"),
        (b"exec /etc/passwd: exec format error\r\n", "exec format error"),
        (b"exec /script: no such file or directory\n", "no such file or directory"),
    ],
)
def test_what_runc_finds_and_cannot_run(output: bytes, told: str) -> None:
    assert after_output(Ended(255), output) == Ended(126, told)
    assert after_output(Ended(1), output) == Ended(126, told)
    assert after_output(Ended(3), output) == Ended(3)


@pytest.mark.parametrize(
    "output", [b"", b"exec format error\n", b"sh: exec: x: Exec format error\n", b"a\nexec a: b\n"]
)
def test_what_a_command_says_before_it_ends_with_255(output: bytes) -> None:
    assert after_output(Ended(255), output) == Ended(255)


def test_success() -> None:
    assert read_status(b'{"metadata":{},"status":"Success"}') == Ended(0)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(["status", "message", "details", "causes", "reason"]) | st.text(), inner
        )
    ),
)


@given(ANYTHING)
def test_no_status_raises(value: object) -> None:
    ended = read_status(json.dumps(value).encode())
    assert ended.exit_code is None or 0 <= ended.exit_code <= 255


@given(st.binary())
def test_no_bytes_raise(data: bytes) -> None:
    assert isinstance(read_status(data), Ended)
