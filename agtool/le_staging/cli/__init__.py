"""`agtool le-staging`: its commands."""

from agtool.core.command import make_app
from agtool.core.options import grouped
from agtool.le_staging.cli.browser import chrome, desktop
from agtool.le_staging.cli.check import check
from agtool.le_staging.cli.curl import curl
from agtool.le_staging.cli.env import env
from agtool.le_staging.cli.roots import fetch
from agtool.le_staging.cli.status import remove, status
from agtool.le_staging.cli.verify import verify

app = make_app()


@app.callback()
def le_staging() -> None:
    """Verify and open sites that use certificates of Let's Encrypt's staging environment.

    \b
    Begin with:
      agtool le-staging verify example.com
    """  # noqa: D301  # the backslash keeps the examples' lines apart


for command in (fetch, verify, check, curl, env, status, chrome, desktop, remove):
    app.command()(grouped(command))  # grouped: documents need not be imported for it
