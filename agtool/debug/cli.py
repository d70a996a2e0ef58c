"""`agtool debug`: parse, wire, hand the result on."""

from __future__ import annotations

from typing import Annotated

import typer

from agtool.core.duration import parse_duration
from agtool.core.errors import (
    CANNOT_EXECUTE,
    NOT_FOUND,
    TIMED_OUT,
    WRAPPER_FAILED,
    AgtoolError,
    UsageError,
)
from agtool.core.kube_options import AsGroup, AsUser, Context, Kubeconfig, Namespace
from agtool.core.output import Format, errors_as_json, print_text
from agtool.debug import model
from agtool.debug.modes import check_modes

_LONGEST_LIFE = 7 * 86400.0
"""Seconds."""

_PASSED_ON = {TIMED_OUT, CANNOT_EXECUTE, NOT_FOUND}
"""Exit codes that tell more than that agtool failed."""

app = typer.Typer(
    add_completion=False,  # the root has it
    rich_markup_mode=None,
)


@app.command("debug", context_settings={"allow_interspersed_args": False})
def debug(  # noqa: PLR0917  # Typer's way: a parameter is an option
    invocation: typer.Context,
    command: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="-- COMMAND [ARG]...",
            help="What to run instead of a shell.",
            show_default=False,
        ),
    ] = None,
    namespace: Namespace = None,
    context: Context = None,
    kubeconfig: Kubeconfig = None,
    as_user: AsUser = None,
    as_group: AsGroup = None,
    image: Annotated[
        str, typer.Option(metavar="IMAGE", envvar="AGTOOL_DEBUG_IMAGE", help="Any image.")
    ] = model.DEFAULT_IMAGE,
    image_pull_policy: Annotated[
        str | None,
        typer.Option(metavar="POLICY", help="Always, IfNotPresent or Never."),
    ] = None,
    env: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=VALUE", help="An environment variable; may be repeated."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A label of the pod; may be repeated."),
    ] = None,
    serviceaccount: Annotated[
        str | None, typer.Option(metavar="NAME", help="The pod's service account.")
    ] = None,
    node_selector: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="A label of the node; may be repeated."),
    ] = None,
    toleration: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KEY[=VALUE][:EFFECT]", help="A taint to tolerate, or all; may be repeated."
        ),
    ] = None,
    cpu: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="CPU requested, and the limit: 100m.")
    ] = None,
    memory: Annotated[
        str | None, typer.Option(metavar="AMOUNT", help="Memory requested, and the limit: 64Mi.")
    ] = None,
    user: Annotated[
        int | None, typer.Option(metavar="UID", min=0, help="The user id to run as.")
    ] = None,
    root: Annotated[
        bool,
        typer.Option(
            "--root", help="Be root, as package installs need it, where the namespace allows it."
        ),
    ] = False,
    ttl: Annotated[
        str, typer.Option(metavar="DURATION", help="The pod ends after this, whatever happens.")
    ] = "1h",
    timeout: Annotated[
        str,
        typer.Option(metavar="DURATION", help="Give up if it does not run by then (exit 124)."),
    ] = "60s",
    shell: Annotated[
        str | None,
        typer.Option(metavar="PATH", help="The shell.  [default: bash if it is there, else sh]"),
    ] = None,
    stdin: Annotated[
        bool | None,
        typer.Option(
            "--stdin/--no-stdin",
            "-i",
            help="Attach our input.  [default: if it is a terminal, or has anything in it]",
            show_default=False,
        ),
    ] = None,
    tty: Annotated[
        bool | None,
        typer.Option(
            "--tty/--no-tty",
            "-t",
            help="Give the command a terminal.  [default: if we have one]",
            show_default=False,
        ),
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(
            metavar="KIND/NAME",
            help="Take over labels, environment, volumes and service account of a workload.",
        ),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(metavar="pod/NAME", help="Run beside a container of this pod."),
    ] = None,
    container: Annotated[
        str | None,
        typer.Option(
            "-c",
            "--container",
            metavar="NAME",
            help="With --target or --like: which container.  [default: the main one]",
        ),
    ] = None,
    node: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Be root on this node, in its namespaces."),
    ] = None,
    tools: Annotated[
        str | None,
        typer.Option(
            metavar="IMAGE",
            help="For an IMAGE without a shell: bring the static programs of this one's /bin.",
        ),
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the pod until --ttl; see --attach.")
    ] = False,
    attach: Annotated[
        str | None, typer.Option(metavar="POD", help="Use a pod that --keep left.")
    ] = None,
    list_: Annotated[
        bool, typer.Option("--list", help="List the debug pods of the namespace.")
    ] = False,
    cleanup: Annotated[
        bool,
        typer.Option("--cleanup", help="Remove debug pods that are over, or whose agtool is gone."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the manifest; create nothing.")
    ] = False,
    output: Annotated[Format, typer.Option(help="How to print --list and --cleanup.")] = (
        Format.table
    ),
) -> int:
    """Open a shell in a new pod, or run COMMAND in it; then remove the pod.

    The exit code is COMMAND's. 124: the pod did not run in time. 125: agtool failed.
    126: COMMAND cannot be run. 127: it was not found.

    \b
    Examples:
      agtool debug
      agtool debug -- nslookup myservice
      agtool debug --image python:3.13 -- python -c 'print(1)'
      agtool debug --root -- sh -c 'apk add curl && curl -s http://myservice'
      agtool debug --target pod/web-0
      agtool debug --like deployment/web
      agtool debug --node worker-1
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    wraps = not (list_ or cleanup)
    try:
        with errors_as_json("debug", not wraps and output is Format.json):
            check_modes(_given(invocation), command=bool(command))
            job = model.Job(
                request=model.Request(
                    name=model.new_name(),
                    namespace=model.parse_name("--namespace", namespace or None) or "",
                    image=image,
                    lifetime=_lifetime(ttl),
                    pull_policy=_pull_policy(image_pull_policy),
                    env=model.parse_env(env or ()),
                    labels=model.parse_labels("--label", label or ()),
                    service_account=model.parse_name("--serviceaccount", serviceaccount),
                    node_selector=model.parse_labels("--node-selector", node_selector or ()),
                    tolerations=model.parse_tolerations(toleration or ()),
                    cpu=model.parse_quantity("--cpu", cpu),
                    memory=model.parse_quantity("--memory", memory),
                    user=user,
                    root=root,
                    node=model.parse_name("--node", node),
                    keep=keep,
                    tools=tools,
                ),
                command=[model.parse_text("COMMAND", word) for word in command or ()],
                shell=shell,
                stdin=stdin,
                terminal=tty,
                timeout=parse_duration(timeout),
                kubeconfig=kubeconfig,
                context=context,
                as_user=as_user,
                as_groups=as_group or (),
                attach=model.parse_name("--attach", attach),
                target=target,
                container=container,
                like=like,
            )
            if not wraps:
                from agtool.debug.listing import show_leftovers

                return show_leftovers(job, cleanup, output)
            if dry_run:
                return _dry_run(job)
            from agtool.debug.run import run

            return run(job)
    except AgtoolError as error:
        if wraps and error.exit_code not in _PASSED_ON:
            error.exit_code = WRAPPER_FAILED
        raise


def _lifetime(text: str) -> int:
    seconds = parse_duration(text)
    if not 1 <= seconds <= _LONGEST_LIFE:
        raise UsageError(f"--ttl {text} is out of bounds", hint="From 1s to 7d.")
    return int(seconds)


def _pull_policy(text: str | None) -> str | None:
    if text not in {None, "Always", "IfNotPresent", "Never"}:
        raise UsageError(
            f"--image-pull-policy is {text!r}", hint="Choose Always, IfNotPresent or Never."
        )
    return text


def _given(invocation: typer.Context) -> set[str]:
    """The long names of the options that stand on the command line."""
    return {
        max(parameter.opts, key=len)
        for parameter in invocation.command.params
        if (source := invocation.get_parameter_source(parameter.name or ""))
        and source.name == "COMMANDLINE"
    }


def _dry_run(job: model.Job) -> int:
    import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this

    from agtool.debug.run import dry_run

    print_text(yaml.safe_dump_all(dry_run(job), sort_keys=False).rstrip("\n"))
    return 0
