"""Two sites on localhost, for programs that agtool knows nothing of but what they trust."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from ssl import SSLContext
from typing import NamedTuple

from tests.e2e.le_staging.site import AGTOOL, Site
from tests.servers import tls
from tests.servers.certificates import Issued, root


class Local(NamedTuple):
    """A site whose certificate is for localhost, fetched; and one below a root of the machine's.

    Attributes:
        variables: what `agtool le-staging env` sets.
    """

    site: Site
    url: str
    company: Issued
    company_url: str
    folder: Path
    variables: dict[str, str]

    @property
    def company_file(self) -> Path:
        """The root of the second."""
        return self.folder / "company.pem"

    def certificates(self, url: str) -> Path:
        """The folder with chain.pem and key.pem of one of the sites."""
        return self.folder / (self.site.ca if url == self.url else self.company).sha256

    def run(self, *command: str | Path, trusting: bool, **more: str) -> tuple[int, str, str]:
        """Run a command, with the variables or without; the machine's own do not count."""
        before = [*AGTOOL, "le-staging", "env", "--"] if trusting else []
        environment = self.site.environment
        for name in self.variables:
            environment.pop(name, None)
        done = subprocess.run(
            [*before, *map(str, command)],
            env={**environment, "NO_PROXY": "*", **more},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=280,
            check=False,
        )
        return done.returncode, done.stdout, done.stderr


@contextmanager
def local_sites(
    site: Site, folder: Path, answer: Callable[[SSLContext], tls.Handler]
) -> Iterator[Local]:
    """Give both, which answer alike."""
    site.fetch()
    company = root("Company Root")
    with ExitStack() as stack:
        urls = []
        for ca in (site.ca, company):
            # Java and Go ask for a key usage in none of them, but for a name.
            leaf = ca.intermediate("CA", days=(-1, 900)).leaf("localhost", "127.0.0.1")
            context = tls.tls_context(folder / ca.sha256, leaf)
            server = stack.enter_context(tls.Listener(answer(context)))
            urls.append(f"https://localhost:{server.port}/")
        done = site.le_staging("env", "--output", "json", SSL_CERT_FILE="", JAVA_TOOL_OPTIONS="")
        found = json.loads(done.stdout)["data"]["variables"]
        variables = {one["name"]: one["value"] for one in found}
        local = Local(site, urls[0], company, urls[1], folder, variables)
        local.company_file.write_text(company.pem)
        yield local
