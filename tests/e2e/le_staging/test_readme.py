"""The README's example of le-staging, pasted, with a host of the test's."""

import re
from pathlib import Path

from tests.e2e.le_staging.site import Site
from tests.readme import examples, paste
from tests.servers import tls


def test_before_and_on_the_day_of_the_switch(site: Site, tmp_path: Path) -> None:
    assert site.fetch().exit_code == 0
    leaf = site.issuer.leaf("localhost")
    with tls.Listener(tls.https(tls.tls_context(tmp_path / "own", leaf))) as server:
        host = f"HOST=localhost:{server.port}"
        lines, replaced = re.subn(r"^HOST=\S+", host, examples()["le-staging"])
        assert replaced == 1
        done = paste(lines, tmp_path, site.env)
    # What the first command wants to find is what the second complains of.
    assert re.findall(r"localhost:\d+ +(\w+)", done.stdout) == ["STAGING"] * 2, done.stderr
    assert done.returncode == 1
