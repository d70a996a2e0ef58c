"""`agtool ci-nodepool`: the commands; each is parsed and wired in a module of its own."""

from __future__ import annotations

import typer

from agtool.ci_nodepool import cli_emit, cli_nodes, cli_pool, cli_runner, cli_watch

app = typer.Typer(
    name="ci-nodepool",
    add_completion=False,  # the root has it
    no_args_is_help=True,
    rich_markup_mode=None,  # rich triples the time of --help
    help="CI jobs on preemptible nodes, kept that way.",
)
# In the order in which a person meets them.
app.command("status")(cli_pool.status)
app.command("label")(cli_nodes.label)
app.command("taint")(cli_nodes.taint)
app.command("untaint")(cli_nodes.untaint)
app.command("unlabel")(cli_nodes.unlabel)
app.command("patch-runner")(cli_runner.patch_runner)
app.command("apply")(cli_pool.apply)
app.command("undo")(cli_pool.undo)
app.command("watch")(cli_watch.watch)
app.command("emit")(cli_emit.emit)
