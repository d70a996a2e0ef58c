"""What is made of what an agtool in a container has printed."""

import json
from datetime import datetime, timezone
from typing import Any

import pytest

from agtool.core.errors import AgtoolError
from agtool.core.kube.ended import Ended
from agtool.core.kube.exec import Printed
from agtool.migrate_once.cluster.ask import NoAgtoolError, TooOldError, read_answer

RUN = {
    "run_id": "1",
    "name": "default",
    "key": "1.4.2",
    "place": "shop-1",
    "state": "running",
    "waiting_since": "2026-11-29T08:00:00+00:00",
    "started_at": "2026-11-29T08:00:01+00:00",
    "finished_at": None,
    "seconds": 2.5,
    "exit_code": None,
}
STATUS = {
    "lock": "advisory lock of agtool.install_locks",
    "held": True,
    "now": "2026-11-29T08:00:03+00:00",
    "running": [RUN],
    "waiting": None,
    "history": [],
    "key": None,
}


def printed(document: Any, code: int = 0, stderr: bytes = b"") -> Printed:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return Printed(text, stderr, Ended(code))


def document(data: Any, **more: Any) -> dict[str, Any]:
    made = {"version": 2, "command": "migrate-once", "status": "ok", "exit_code": 0, "errors": []}
    return {**made, "data": data, **more}


def read(given: Printed, *, like_running: bool = False) -> Any:
    return read_answer(given, "container c of pod p", like_running=like_running)


def test_a_status() -> None:
    found = read(printed(document(STATUS)))
    assert found.held
    assert found.running[0].started_at == datetime(2026, 11, 29, 8, 0, 1, tzinfo=timezone.utc)
    assert (found.waiting, found.key) == (None, None)


def test_one_of_a_newer_agtool_has_more() -> None:
    more = {**STATUS, "new": 1, "running": [{**RUN, "new": 2}]}
    assert read(printed(document(more))) == read(printed(document(STATUS)))


def test_a_key_that_is_not_done_is_no_error() -> None:
    key = {"name": "n", "key": "k", "done": False, "failures": 1}
    key |= {"failed_on": "p", "failed_with": 3}
    found = read(printed(document({**STATUS, "key": key}, status="failed", exit_code=1), 1))
    assert (found.key.key, found.key.failed_with) == ("k", 3)


@pytest.mark.parametrize(
    "answer",
    [
        printed(b"", 2, b"Usage: agtool ...\nNo such option: --output"),
        printed(b"agtool 0.0.1\n"),
        printed([]),
        printed({"version": 1, "data": STATUS}),
        printed(document({})),
        printed(document({**STATUS, "running": [{"run_id": "1"}]})),
        printed(document({**STATUS, "now": "yesterday"})),
        printed(document({**STATUS, "waiting": 3})),
    ],
)
def test_another_version(answer: Printed) -> None:
    with pytest.raises(TooOldError, match="container c of pod p gives no answer") as raised:
        read(answer)
    assert "same version" in raised.value.hint
    assert raised.value.exit_code == 4


def test_what_it_said_is_shown() -> None:
    with pytest.raises(TooOldError, match=r"\(exit code 2\): Usage: agtool"):
        read(printed(b"", 2, b"Usage: agtool ...\nNo such option: --output"))


@pytest.mark.parametrize(
    ("error", "code", "exit_code"),
    [
        ({"code": "unreachable", "message": "cannot reach db", "hint": "Look."}, 4, 4),
        ({"code": "configuration", "message": "no URL"}, 3, 3),
        ({"code": "denied", "message": "no"}, 5, 5),
        # Neither a usage error of ours, nor the code of a command that is wrapped.
        ({"code": "usage", "message": "--host has no effect"}, 125, 4),
        ({"message": "?"}, None, 4),
    ],
)
def test_its_error_is_passed_on(error: dict[str, str], code: int | None, exit_code: int) -> None:
    answer = printed(document({}, status="error", exit_code=code, errors=[error]), code or 0)
    with pytest.raises(AgtoolError) as raised:
        read(answer)
    assert raised.value.message == f"the agtool in container c of pod p says: {error['message']}"
    assert raised.value.hint == error.get("hint", "")
    assert raised.value.code == error.get("code", "remote")
    assert raised.value.exit_code == exit_code


def test_one_that_cannot_look_beside_it() -> None:
    error = {"code": "usage", "message": "No such option: --like-running"}
    answer = printed(document({}, status="error", exit_code=125, errors=[error]), 125)
    with pytest.raises(TooOldError, match="too old to be asked"):
        read(answer, like_running=True)


def test_none_runs_there() -> None:
    error = {"code": "not-running", "message": "no agtool migrate-once runs beside this one"}
    answer = printed(document({}, status="error", exit_code=3, errors=[error]), 3)
    with pytest.raises(NoAgtoolError):
        read(answer, like_running=True)


def test_no_command_can_be_run() -> None:
    with pytest.raises(AgtoolError, match="no command can be run in container c of pod p: no"):
        read(Printed(b"", b"", Ended(None, "no")))
