"""A session as a file."""

import json
from pathlib import Path

from tests.e2e.debug.conftest import Person


def test_a_session_is_recorded(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "session.cast"
    terminal = person.terminal("--record", str(file), size=(30, 90))
    terminal.expect("passwords and other secrets too")
    terminal.expect(r"\$ ")
    terminal.type("printf '\\303\\274ber %s\\n' s3cret\r")
    terminal.expect("über s3cret")
    terminal.type("exit 5\r")
    assert terminal.wait() == 5
    assert file.stat().st_mode & 0o777 == 0o600
    header, *events = map(json.loads, file.read_text().splitlines())
    assert (header["version"], header["width"], header["height"]) == (2, 90, 30)
    assert all(kind == "o" for _, kind, _ in events)
    times = [when for when, _, _ in events]
    assert times == sorted(times)
    shown = "".join(text for _, _, text in events)
    assert "über s3cret\r\n" in shown
    assert "printf" in shown  # what is typed comes back as an echo


def test_a_command_is_recorded_too_and_no_file_is_lost(person: Person, tmp_path: Path) -> None:
    file = tmp_path / "session.cast"
    done = person.run("--record", str(file), "--", "echo", "ran")
    assert (done.exit_code, done.stdout) == (0, "ran\n"), done.stderr
    header, event = map(json.loads, file.read_text().splitlines())
    assert (header["command"], event[2]) == ("echo ran", "ran\n")
    before = file.read_bytes()
    done = person.run("--record", str(file), "--", "echo", "ran")
    assert (done.exit_code, "there is such a file already" in done.stderr) == (125, True)
    assert file.read_bytes() == before
    done = person.run("--record", str(tmp_path / "none/x"), "--", "true")
    assert (done.exit_code, "cannot make" in done.stderr) == (125, True)
    assert not person.pods()
