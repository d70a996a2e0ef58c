"""`agtool ci-nodepool`: the commands; each is parsed and wired in a module of its own."""

from typing import ClassVar

from agtool.ci_nodepool import TECHNIQUE
from agtool.core.command import ImportedGroup, make_app


class Commands(ImportedGroup):
    """In the order in which a person meets them."""

    modules: ClassVar = {
        "status": "status",
        "label": "nodes",
        "taint": "nodes",
        "untaint": "nodes",
        "unlabel": "nodes",
        "patch-runner": "runner",
        "apply": "runner",
        "undo": "runner",
        "check": "check",
        "edit": "edit",
        "watch": "watch",
        "emit": "emit",
    }


app = make_app(Commands, name=TECHNIQUE.name, help=TECHNIQUE.help)


@app.callback()
def ci_nodepool() -> None:
    """Typer needs a function for a group; its help is above."""
