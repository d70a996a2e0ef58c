"""`agtool le-staging chrome` with real browsers, headless and on a virtual screen."""

import json
import os
import pty
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from agtool.le_staging.browser.profile import COLOUR
from tests.e2e.conftest import Agtool, clean_environment, wait_until
from tests.e2e.le_staging.conftest import BAD, DOMAIN, LOCAL, Home, dump
from tests.servers.certificates import Issued
from tests.servers.chains import Chains
from tests.servers.screen import Screen

REFERENCE = Path(__file__).parents[3] / "docs/reference/le-staging.md"
GOOD = f"good.{DOMAIN}"
OTHER = f"other.{DOMAIN}"

REASONS = {
    "expired": "net_error -201",
    "wrong": "net_error -200",
    "self-signed": "net_error -202",
    "unknown": "net_error -202",
}
"""What Chromium says of each (net_error_list.h): CERT_DATE_, COMMON_NAME_, AUTHORITY_INVALID."""


@pytest.fixture
def prepared(home: Home, staging: Issued) -> Home:  # noqa: ARG001  # it has to be there
    """Give a home in which the staging browser was started, and closed again."""
    done = home.le_staging("chrome", "--no-sandbox", "--browser", home.chromium())
    assert done.exit_code == 0, done.stderr
    home.end_browsers()
    return home


def planned(home: Home, browser: Path, *options: str) -> tuple[list[str], dict[str, str]]:
    """The command with which agtool would start the browser, and its environment."""
    plan = home.json("chrome", "--no-sandbox", "--browser", browser, "--dry-run", *options)["data"]
    return plan["command"], plan["environment"]


def test_only_the_staging_profile_trusts_and_both_check_everything_else(
    prepared: Home, chains: Chains
) -> None:
    browser = prepared.bin / "chromium"
    argv, env = planned(prepared, browser)
    names = ("good", *BAD)

    def visit(argv: list[str], env: dict[str, str]) -> dict[str, tuple[str, str]]:
        return {n: dump(prepared, argv, env, chains.url(f"{n}.{DOMAIN}")) for n in names}

    # The normal browser of the same person: no option of ours, the usual profile.
    with ThreadPoolExecutor() as pool:
        staging, normal = pool.map(visit, (argv, [str(browser)]), (env, {}))
    assert f"served {GOOD}" in staging["good"][0]
    assert "served" not in normal["good"][0]
    assert "net_error -202" in normal["good"][1]
    for name, reason in REASONS.items():
        assert "served" not in staging[name][0] + normal[name][0]
        assert reason in staging[name][1]
        assert "net_error -20" in normal[name][1]
    assert chains.served == {GOOD}
    assert {f"{name}.{DOMAIN}" for name in names} == chains.tried


def test_trust_can_be_limited_to_domains(home: Home, staging: Issued, chains: Chains) -> None:
    browser = home.chromium()
    only = ("--only", f"*.other.{DOMAIN}", "--only", LOCAL)
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, *only)
    assert done.exit_code == 0, done.stderr
    assert f"for other.{DOMAIN}, {LOCAL} and subdomains" in done.stdout
    home.end_browsers()
    argv, env = planned(home, browser, *only)
    assert f"served {OTHER}" in dump(home, argv, env, chains.url(OTHER))[0]
    assert f"served good.{LOCAL}" in dump(home, argv, env, chains.url(f"good.{LOCAL}"))[0]
    page, errors = dump(home, argv, env, chains.url(GOOD))
    assert "served" not in page
    assert "net_error -207" in errors  # CERT_INVALID

    status = home.json("status")["data"]["browsers"]["browsers"][0]
    assert status["trusts"] == {staging.sha256: [f"other.{DOMAIN}", LOCAL]}


def test_a_window_that_nobody_mistakes_and_that_outlives_the_terminal(
    home: Home, staging: Issued, chains: Chains, screen: Screen
) -> None:
    browser = home.chromium()
    orange = int(COLOUR[1:], 16)
    # Chromium makes a pale shade of the colour for its frame.
    frame = 0xFFDDBB
    leader, follower = pty.openpty()
    command = ["agtool", "le-staging", "chrome", "--no-sandbox", "--browser", str(browser)]
    agtool = subprocess.Popen(
        [sys.executable, "-m", *command, chains.url(GOOD)],
        env=clean_environment(home.environment),
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    said = b""
    while data := _read(leader):
        said += data
    assert agtool.wait(60) == 0, said
    os.close(leader)  # the terminal is closed
    assert b"started (process " in said, said
    wait_until(lambda: GOOD in chains.served, "the page was asked for")
    wait_until(lambda: f"{GOOD} - Chromium" in screen.windows(), "the window is there")
    assert screen.windows()[f"{GOOD} - Chromium"] == "chrome-le"
    wait_until(lambda: screen.share_of(frame) > 0.2, "the frame is orange", 20)
    assert orange == 0xFF9900

    # A second address opens in the same window, without a second browser.
    (before,) = _browsers(home)
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, chains.url(OTHER))
    assert done.exit_code == 0, done.stderr
    assert "was already running" in done.stdout
    wait_until(lambda: OTHER in chains.served, "the second page was asked for")
    assert _browsers(home) == [before]

    # What cannot be done while it runs is refused, and says what to do.
    limited = home.le_staging("chrome", "--no-sandbox", "--browser", browser, "--only", "a.dev")
    removed = home.le_staging("remove", "--yes")
    for refused in (limited, removed):
        assert refused.exit_code == 5
        assert "is running with" in refused.stderr
        assert "Close its windows, then try again." in refused.stderr
    status = home.json("status")["data"]["browsers"]
    assert status["state"] == "ok"
    assert status["browsers"][0]["running"]
    assert status["browsers"][0]["trusts"] == {staging.sha256: []}


def _browsers(home: Home) -> list[int]:
    """The main processes of browsers: those that lead a session."""
    return [pid for pid in home.processes() if os.getsid(pid) == pid]


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the last process that had it has closed it
        return b""


def test_files_are_private(prepared: Home) -> None:
    folder = prepared.folder / ".local/share/agtool/le-staging"
    (profile,) = (folder / "browsers").iterdir()
    for path in (folder, profile, profile / "lets-encrypt-staging-trust"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700, path
    for path in (
        profile / "lets-encrypt-staging-trust/ServerCertificate",
        profile / "lets-encrypt-staging-trust/Preferences",
        profile / "browser.log",
        folder / "self-tests.json",
    ):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    # Nothing outside agtool's folder but what every browser makes of its own.
    assert not (prepared.folder / ".config/chromium").exists()
    assert not (prepared.folder / ".pki").exists()


@pytest.mark.usefixtures("staging")
def test_a_dry_run_changes_nothing(home: Home) -> None:
    browser = home.chromium()
    before = home.tree()
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, "--dry-run", DOMAIN)
    assert done.exit_code == 0, done.stderr
    assert "would be started" in done.stdout
    assert "test the browser" in done.stdout
    assert f"https://{DOMAIN}" in done.stdout
    assert home.le_staging("desktop", "--no-sandbox", "--dry-run").exit_code == 0
    assert home.le_staging("remove", "--dry-run").exit_code == 0
    assert home.tree() == before


@pytest.mark.usefixtures("staging")
def test_a_browser_that_checks_nothing_is_refused(home: Home) -> None:
    browser = home.chromium("--ignore-certificate-errors")
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, f"https://{GOOD}")
    assert done.exit_code == 5
    for what in ("an expired certificate", "another name", "a self-signed", "an unknown root"):
        assert what in done.stderr
    assert "Nothing was opened" in done.stderr
    assert home.processes() == []
    assert home.json("status")["data"]["browsers"]["state"] == "not-installed"


@pytest.mark.usefixtures("staging")
def test_a_browser_that_does_not_start_says_why(home: Home) -> None:
    broken = home.program(
        "broken",
        'case "$*" in *--version*) echo "Chromium 1.2.3"; exit;; esac',
        "echo the library is missing >&2; exit 3",
    )
    done = home.le_staging("chrome", "--no-sandbox", "--browser", broken)
    assert done.exit_code == 3
    assert "ended with 3 in the self-test" in done.stderr
    assert "the library is missing" in done.stderr

    no_browser = home.program("no-browser", "echo hello")
    done = home.le_staging("chrome", "--browser", no_browser)
    assert done.exit_code == 3
    assert "not a known browser" in done.stderr

    done = home.le_staging(
        "chrome", "--no-sandbox", "--browser", home.chromium(), env={"DISPLAY": ""}
    )
    assert done.exit_code == 3
    assert "in a graphical session" in done.stderr


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_self_test_leaves_nothing(
    home: Home, agtool: Agtool, number: signal.Signals
) -> None:
    slow = home.program(
        "slow", 'case "$*" in *--version*) echo "Chromium 1.2.3"; exit;; esac', "sleep 1000"
    )
    before = home.tree()
    running = agtool.start(
        "le-staging", "chrome", "--no-sandbox", "--browser", slow, env=home.environment
    )
    running.wait_for("testing Chromium 1.2.3")
    wait_until(lambda: len(home.processes()) > 1, "the browser runs")
    running.send(number)
    assert running.wait().exit_code == 130
    wait_until(lambda: home.processes() == [], "the browser has ended")
    after = home.tree()
    assert not any("self-test" in path for path in after)
    assert before.items() <= after.items()


@pytest.mark.usefixtures("staging")
def test_nothing_is_left_of_a_self_test_whose_agtool_was_killed(home: Home, agtool: Agtool) -> None:
    # A real browser whose page never loads, so that the test takes as long as it may; started by a
    # script that stays, so that it is no child of agtool's.
    rules = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
    chromium = home.chromium(rules, name="real")
    hung = home.program("hung", 'case "$*" in *--version*) ;; *) sleep 1000 & ;; esac')
    hung.write_text(hung.read_text() + f'{chromium} "$@"\nexit $?\n')
    running = agtool.start(
        "le-staging", "chrome", "--no-sandbox", "--browser", hung, env=home.environment
    )
    running.wait_for("testing Chromium")
    wait_until(lambda: len(home.processes()) > 4, "the browser runs")
    running.send(signal.SIGKILL)
    assert running.wait().exit_code == -signal.SIGKILL
    wait_until(lambda: home.processes() == [], "the browser has ended")
    assert not any("self-test" in path for path in home.tree())


def test_two_at_once_do_not_change_what_the_other_has_started(
    prepared: Home, agtool: Agtool
) -> None:
    command = ("le-staging", "chrome", "--no-sandbox", "--browser", prepared.bin / "chromium")
    running = {
        domain: agtool.start(*command, "--only", domain, env=prepared.environment)
        for domain in ("a.dev", "b.dev")
    }
    ended = {domain: each.wait() for domain, each in running.items()}
    (first,) = (domain for domain, done in ended.items() if done.exit_code == 0)
    (second,) = (done for done in ended.values() if done.exit_code != 0)
    assert second.exit_code == 5
    assert "what it trusts would change" in second.stderr
    (status,) = prepared.json("status")["data"]["browsers"]["browsers"]
    assert list(status["trusts"].values()) == [[first]]


@pytest.mark.usefixtures("staging")
def test_nothing_is_removed_while_another_agtool_tests_the_browser(
    home: Home, agtool: Agtool
) -> None:
    slow = home.program(
        "slow", 'case "$*" in *--version*) echo "Chromium 1.2.3"; exit;; esac', "sleep 1000"
    )
    running = agtool.start(
        "le-staging", "chrome", "--no-sandbox", "--browser", slow, env=home.environment
    )
    running.wait_for("testing Chromium 1.2.3")
    wait_until(lambda: any("self-test" in path for path in home.tree()), "it has begun")
    before = set(home.tree())
    refused = home.le_staging("remove", "--yes")
    assert refused.exit_code == 5
    assert before <= set(home.tree())
    assert "another agtool is using the browser" in refused.stderr
    running.send(signal.SIGINT)
    assert running.wait().exit_code == 130
    assert home.le_staging("remove", "--yes").exit_code == 0


@pytest.mark.usefixtures("staging")
def test_the_self_test_is_remembered_until_the_browser_changes(home: Home) -> None:
    command = ("chrome", "--no-sandbox", "--browser", home.chromium())
    testing = "testing Chromium"
    assert testing in home.le_staging(*command).stderr
    assert testing not in home.le_staging(*command).stderr
    assert testing in home.le_staging(*command, "--self-test").stderr
    home.chromium(before='case "$*" in *--version*) echo "Chromium 999.0.1"; exit;; esac')
    status = home.json("status")["data"]["browsers"]["browsers"][0]
    assert status["version"] == "Chromium 999.0.1" != status["self_test"]["version"]
    assert "the next start repeats it" in home.le_staging("status").stdout
    assert testing in home.le_staging(*command).stderr


def test_a_browser_without_a_store_in_its_profile_gets_a_home(
    home: Home, staging: Issued, chains: Chains
) -> None:
    # An old Chromium knows no such file. A new one without it is as good for this.
    forget = (
        'for a; do case "$a" in --user-data-dir=*) rm -f "${a#*=}"/*/ServerCertificate;; esac; done'
    )
    old = home.chromium(before=forget, name="old-chromium")
    command = ("chrome", "--no-sandbox", "--browser", old)
    done = home.le_staging(*command, chains.url(GOOD))
    assert done.exit_code == 0, done.stderr
    assert "it gets a home folder of its own" in done.stderr
    wait_until(lambda: GOOD in chains.served, "the page was asked for")
    limited = home.le_staging(*command, "--only", DOMAIN)
    assert limited.exit_code == 3
    assert "cannot limit trust to domains" in limited.stderr
    status = home.json("status")["data"]["browsers"]["browsers"][0]
    assert status["trusts"] == {staging.sha256: []}
    home.end_browsers()

    assert not (home.folder / ".pki").exists()
    assert "served" not in dump(home, [str(old)], {}, chains.url(GOOD))[0]


@pytest.mark.usefixtures("staging")
def test_json_has_one_document_also_for_an_error(home: Home) -> None:
    document = home.json("chrome", "--no-sandbox", "--browser", home.chromium(), f"https://{GOOD}")
    assert document["status"] == "ok"
    assert document["data"]["self_test"]["kind"] == "profile"
    section = REFERENCE.read_text().partition("\n## chrome\n")[2]
    example = json.loads(section.partition("```json\n")[2].partition("```")[0])
    assert list(document["data"]) == list(example)
    assert document["data"]["pid"] in home.processes()
    failed = home.json("chrome", "--browser", "/nowhere/chromium")
    assert failed["command"] == "le-staging chrome"
    assert [error["code"] for error in failed["errors"]] == ["configuration"]
