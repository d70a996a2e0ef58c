"""`agtool ci-nodepool`: the commands; each is parsed and wired in a module of its own."""

from __future__ import annotations

from agtool.ci_nodepool import TECHNIQUE
from agtool.ci_nodepool.cli import check, edit, emit, nodes, runner, status, watch
from agtool.core.command import make_app

app = make_app(name=TECHNIQUE.name, help=TECHNIQUE.help)
# In the order in which a person meets them.
app.command("status")(status.status)
app.command("label")(nodes.label)
app.command("taint")(nodes.taint)
app.command("untaint")(nodes.untaint)
app.command("unlabel")(nodes.unlabel)
app.command("patch-runner")(runner.patch_runner)
app.command("apply")(runner.apply)
app.command("undo")(runner.undo)
app.command("check")(check.check)
app.command("edit")(edit.edit)
app.command("watch")(watch.watch)
app.command("emit")(emit.emit)
