"""The lines that `chrome --prepare` prints, given to the real Playwright and Puppeteer."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import needed
from tests.e2e.le_staging.conftest import (
    DOMAIN,
    Home,
    _chains,
    chains,
    home,
    screen,
    staging,
)
from tests.servers.chains import Chains
from tests.servers.process import find_program
from tests.tools.installed import installed

__all__ = ["_chains", "chains", "home", "screen", "staging"]

SCRIPT = """
const {chromium} = require("playwright-core"), puppeteer = require("puppeteer-core");
(async () => {
  const browser = await %s;
  const page = await browser.newPage(), found = {};
  for (const url of %s) {
    try { await page.goto(url); found[url] = await page.content(); }
    catch (error) { found[url] = error.message; }
  }
  await browser.close();
  console.log(JSON.stringify(found));
})();
"""


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("name", ["Playwright", "Puppeteer"])
def test_the_printed_line_opens_a_page(
    name: str, home: Home, chains: Chains, tmp_path: Path
) -> None:
    with needed():
        node, folder = find_program("node"), installed("browser-automation")
    browser = home.chromium()
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, "--prepare")
    assert done.exit_code == 0, done.stderr
    chains.forget()
    line = next(line for line in done.stdout.splitlines() if line.startswith(name))
    urls = {which: chains.url(f"{which}.{DOMAIN}") for which in ("good", "expired", "unknown")}
    script = tmp_path / "script.js"
    script.write_text(SCRIPT % (line.removeprefix(name).strip(), json.dumps(list(urls.values()))))
    run = subprocess.run(
        [node, script],
        env={**os.environ, **home.environment, "NODE_PATH": str(folder / "node_modules")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert f"served good.{DOMAIN}" in found[urls["good"]]
    for which in ("expired", "unknown"):
        assert "ERR_CERT" in found[urls[which]]
    assert chains.served == {f"good.{DOMAIN}"}
