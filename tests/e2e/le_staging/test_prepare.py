"""`agtool le-staging chrome --prepare`: the profile for browsers that tests start themselves."""

import json
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.le_staging.conftest import DOMAIN, Home, dump
from tests.servers.certificates import Issued
from tests.servers.chains import Chains
from tests.servers.process import find_program

GOOD = f"good.{DOMAIN}"


def test_headless_chromium_opens_a_page_with_it(
    home: Home, staging: Issued, chains: Chains
) -> None:
    browser = home.chromium()
    options = ("--no-sandbox", "--browser", browser, "--prepare")
    made = home.json("chrome", *options)["data"]
    assert (made["prepared_only"], made["pid"], made["already_running"]) == (True, None, False)
    assert home.processes() == []
    chains.forget()
    # As a test framework does: the flags, and those of its own.
    argv, env = made["command"], made["environment"]
    assert argv[0] == str(browser)
    assert f"served {GOOD}" in dump(home, argv, env, chains.url(GOOD))[0]
    for name in ("expired", "wrong", "unknown"):
        page, errors = dump(home, argv, env, chains.url(f"{name}.{DOMAIN}"))
        assert "served" not in page
        assert "net_error -20" in errors
    assert chains.served == {GOOD}
    status = home.json("status")["data"]["browsers"]["browsers"][0]
    assert status["trusts"] == {staging.sha256: []}


@pytest.mark.usefixtures("staging")
def test_what_is_printed_is_javascript_with_the_same_flags(home: Home) -> None:
    browser = home.chromium()
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, "--prepare")
    assert done.exit_code == 0, done.stderr
    assert "not started" in done.stdout
    lines = {line[:11].strip(): line[11:] for line in done.stdout.splitlines()}
    with needed():
        node = find_program("node")
    flags = json.loads(home.le_staging(
        "chrome", "--no-sandbox", "--browser", browser, "--prepare", "-o", "json"
    ).stdout)["data"]["command"][1:]  # fmt: skip
    stub = (
        "const out = (folder, o) => console.log(JSON.stringify([...(o ? [folder] : []),"
        " ...Object.values(o || folder)].flat()));"
        "const chromium = {launchPersistentContext: out}, puppeteer = {launch: out};"
    )
    for name in ("Playwright", "Puppeteer"):
        argv: list[str | Path] = [node, "-e", f"{stub} {lines[name]}"]
        run = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60)
        told = json.loads(run.stdout)
        assert str(browser) in told
        folder = next(f for f in flags if f.startswith("--user-data-dir="))
        assert folder.partition("=")[2] in told
        assert {f for f in flags if f != folder} <= set(told)
    added = re.findall(r'options\.add_argument\("(.*)"\)', done.stdout)
    assert added == flags


@pytest.mark.usefixtures("staging")
def test_with_a_url_it_makes_no_sense(home: Home) -> None:
    done = home.le_staging("chrome", "--prepare", f"https://{GOOD}")
    assert (done.exit_code, "--prepare" in done.stderr) == (2, True)
    assert home.json("status")["data"]["browsers"]["state"] == "not-installed"
