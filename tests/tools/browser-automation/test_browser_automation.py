"""The lines that `chrome --prepare` prints, given to Playwright, Puppeteer and Selenium."""

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


SELENIUM = """
import json, sys
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
options = webdriver.ChromeOptions()
%s
options.add_argument("--headless")
found = {}
with webdriver.Chrome(options=options, service=Service(sys.argv[1])) as driver:
    for url in %s:
        try:
            driver.get(url)
            found[url] = driver.page_source
        except WebDriverException as error:
            found[url] = error.msg
print(json.dumps(found))
"""


@pytest.mark.usefixtures("staging")
@pytest.mark.parametrize("name", ["Playwright", "Puppeteer", "Selenium"])
def test_the_printed_lines_open_a_page(
    name: str, home: Home, chains: Chains, tmp_path: Path
) -> None:
    with needed():
        folder = installed("browser-automation")
        node, driver = find_program("node"), find_program("chromedriver")
    browser = home.chromium()
    done = home.le_staging("chrome", "--no-sandbox", "--browser", browser, "--prepare")
    assert done.exit_code == 0, done.stderr
    chains.forget()
    told = done.stdout.splitlines()
    first = next(number for number, line in enumerate(told) if line.startswith(name))
    urls = {which: chains.url(f"{which}.{DOMAIN}") for which in ("good", "expired", "unknown")}
    wanted = json.dumps(list(urls.values()))
    script = tmp_path / "script"
    argv: list[str | Path] = [node, script]
    if name == "Selenium":
        lines = [told[first].removeprefix(name), *told[first + 1 :]]
        script.write_text(SELENIUM % ("\n".join(line.strip() for line in lines), wanted))
        argv = [folder / "venv/bin/python", script, driver]
    else:
        script.write_text(SCRIPT % (told[first].removeprefix(name).strip(), wanted))
    run = subprocess.run(
        argv,
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
