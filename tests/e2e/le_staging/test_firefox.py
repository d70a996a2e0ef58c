"""`agtool le-staging chrome --firefox` with a real Firefox."""

import os
import subprocess

from agtool.le_staging.browser.profile import COLOUR
from tests.conftest import needed
from tests.e2e.conftest import wait_until
from tests.e2e.le_staging.conftest import BAD, LOCAL, Home
from tests.servers.certificates import Issued
from tests.servers.chains import Chains
from tests.servers.process import find_program
from tests.servers.screen import Screen

GOOD = f"good.{LOCAL}"


def test_only_its_own_profile_trusts(
    home: Home, staging: Issued, chains: Chains, screen: Screen
) -> None:
    with needed():
        firefox = find_program("firefox-esr")
        find_program("certutil")
    urls = [chains.url(f"{name}.{LOCAL}") for name in (*BAD, "good")]
    done = home.le_staging("chrome", "--firefox", "--browser", firefox, *urls)
    assert done.exit_code == 0, done.stderr
    assert "testing Mozilla Firefox" in done.stderr
    everyone = {f"{name}.{LOCAL}" for name in (*BAD, "good")}
    wait_until(lambda: chains.tried == everyone, "all were tried")
    wait_until(lambda: GOOD in chains.served, "the good page was asked for")
    wait_until(lambda: screen.share_of(int(COLOUR[1:], 16)) > 0.2, "the frame is orange")
    assert set(screen.windows().values()) == {"chrome-le"}
    assert chains.served == {GOOD}

    status = home.json("status")["data"]["browsers"]["browsers"][0]
    assert status["trusts"] == {staging.sha256: []}
    assert status["running"]
    refused = home.le_staging("remove", "--yes")
    assert refused.exit_code == 5
    assert "Close its windows" in refused.stderr

    # Without a D-Bus it cannot reach the one that runs, and shows a question for ever.
    again = home.le_staging("chrome", "--firefox", "--browser", firefox, urls[-1])
    assert again.exit_code == 0, again.stderr
    assert "the running browser has not answered" in again.stderr

    for without_effect in (("--only", "a.dev"), ("--no-sandbox",)):
        refused = home.le_staging("chrome", "--firefox", "--browser", firefox, *without_effect)
        assert (refused.exit_code, without_effect[0] in refused.stderr) == (2, True)
    home.end_browsers()

    # Another profile of the same person.
    chains.forget()
    (home.folder / "normal").mkdir()
    normal = subprocess.Popen(
        [firefox, "--headless", "--profile", home.folder / "normal", urls[-1]],
        env={**os.environ, **home.environment},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_until(lambda: GOOD in chains.tried, "the normal Firefox tried")
    normal.terminate()
    normal.wait(30)
    home.end_browsers()
    assert not chains.served
