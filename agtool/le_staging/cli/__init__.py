"""`agtool le-staging`: its commands; each is parsed and wired in a module of its own."""

from typing import ClassVar

from agtool.core.command import ImportedGroup, make_app


class Commands(ImportedGroup):
    """In the order in which a person meets them."""

    modules: ClassVar = {
        "fetch": "roots",
        "verify": "verify",
        "check": "check",
        "curl": "curl",
        "env": "env",
        "status": "status",
        "chrome": "browser",
        "desktop": "browser",
        "remove": "status",
    }


app = make_app(Commands)


@app.callback()
def le_staging() -> None:
    """Verify and open sites that use certificates of Let's Encrypt's staging environment.

    \b
    Begin with:
      agtool le-staging verify example.com
    """  # noqa: D301  # the backslash keeps the examples' lines apart
