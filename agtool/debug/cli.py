"""`agtool debug`: parse, wire, hand the result on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer  # noqa: TC002  # Typer reads the annotations

from agtool.core import completion
from agtool.core.command import Format, Result, make_app
from agtool.core.errors import AgtoolError
from agtool.core.image import parse_image
from agtool.core.options import (
    ClusterOptions,
    DryRun,
    Namespace,
    OutputOrNames,
    duration,
    flag,
    given_options,
    grouped,
    number,
    option,
    positive,
    runs_nothing,
    wrapped_command,
)
from agtool.debug import arguments, model
from agtool.debug.documents import DebugPod, DebugPods
from agtool.debug.modes import check_modes

if TYPE_CHECKING:
    from agtool.core.output import View

app = make_app()

Text = str | None
Texts = list[str] | None


def _texts(metavar: str, help_: str) -> Any:
    return option(metavar, f"{help_} Can be repeated.")


_kept_pods = completion.from_cluster(
    lambda session: completion.listed(
        session,
        f"/api/v1/namespaces/{session.namespace}/pods",
        labelSelector=f"{model.KIND}=kept",
    )
)


@app.command("debug", context_settings={"allow_interspersed_args": False})
@grouped
def debug(
    command_line: typer.Context,
    command: Annotated[
        Texts,
        wrapped_command("The command to run instead of a shell."),
    ] = None,
    *,
    namespace: Namespace = None,
    cluster: ClusterOptions,
    image: Annotated[
        str, option("IMAGE", "Run this image; any image works.", envvar="AGTOOL_DEBUG_IMAGE")
    ] = model.DEFAULT_IMAGE,
    image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"] | None,
        option("POLICY", "Choose when the node pulls the image: Always, IfNotPresent or Never."),
    ] = None,
    env: Annotated[Texts, _texts("NAME=VALUE", "Set this environment variable.")] = None,
    label: Annotated[Texts, _texts("KEY=VALUE", "Give the pod this label.")] = None,
    annotation: Annotated[Texts, _texts("KEY=VALUE", "Give the pod this annotation.")] = None,
    serviceaccount: Annotated[Text, option("NAME", "Run the pod as this service account.")] = None,
    node_selector: Annotated[
        Texts, _texts("KEY=VALUE", "Run the pod on a node with this label.")
    ] = None,
    toleration: Annotated[
        Texts, _texts("KEY[=VALUE][:EFFECT]", "Tolerate this taint, or `all` taints.")
    ] = None,
    cpu: Annotated[
        Text, option("AMOUNT", "Request this CPU, and limit the pod to it, such as 100m.")
    ] = None,
    memory: Annotated[
        Text, option("AMOUNT", "Request this memory, and limit the pod to it, such as 64Mi.")
    ] = None,
    user: Annotated[int | None, number("UID", "Run as the user with this id", 0, 2**31 - 1)] = None,
    root: Annotated[
        bool, flag("Run as root, to install packages, if the namespace allows it.", "--root")
    ] = False,
    ttl: Annotated[
        float, duration("End the pod after this time, whatever happens.  [default: 1h]")
    ] = 3600.0,
    timeout: Annotated[
        float,
        duration(
            "Give up if the container does not run after this time.  [default: 60s]",
            callback=positive,
        ),
    ] = 60.0,
    shell: Annotated[
        Text, option("PATH", "Open this shell.  [default: bash if it is there, else sh]")
    ] = None,
    stdin: Annotated[
        bool | None,
        flag(
            "Pass the input of agtool on to the command.  [default: if it is a terminal or has "
            "data]",
            "--stdin/--no-stdin",
            "-i",
        ),
    ] = None,
    tty: Annotated[
        bool | None,
        flag("Give the command a terminal.  [default: if agtool has one]", "--tty/--no-tty", "-t"),
    ] = None,
    record: Annotated[
        Text,
        option("FILE", "Record what is shown, for asciinema; nothing is masked in it."),
    ] = None,
    port_forward: Annotated[
        Texts,
        _texts("LOCAL:REMOTE", "Let this port of this machine lead to that of the pod, meanwhile."),
    ] = None,
    cp: Annotated[
        bool,
        flag("Copy files: LOCAL pod/NAME:/PATH, or pod/NAME:/PATH LOCAL.", "--cp"),
    ] = False,
    like: Annotated[
        Text,
        option(
            "KIND/NAME",
            "Copy the labels, environment, volumes and service account of this workload.",
            autocompletion=completion.workloads,
        ),
    ] = None,
    target: Annotated[
        Text,
        option(
            "pod/NAME",
            "Run in a new container of this pod, beside one of its own.",
            autocompletion=completion.pods,
        ),
    ] = None,
    container: Annotated[
        Text,
        option(
            "NAME",
            "Choose this container of --target, --like or --cp.  [default: the main one]",
            "-c",
            "--container",
        ),
    ] = None,
    node: Annotated[
        Text,
        option(
            "NAME", "Run as root on this node, in its namespaces.", autocompletion=completion.nodes
        ),
    ] = None,
    tools: Annotated[
        Text,
        option("IMAGE", "Add the static programs in /bin of this image to one without a shell."),
    ] = None,
    pause_image: Annotated[
        Text,
        option(
            "IMAGE",
            "Take the pod's main process from /pause in this image, not from a ConfigMap.",
            envvar="AGTOOL_DEBUG_PAUSE_IMAGE",
        ),
    ] = None,
    keep: Annotated[bool, flag("Keep the pod until its --ttl, for --attach.", "--keep")] = False,
    attach: Annotated[
        Text, option("POD", "Run in this pod, which --keep has kept.", autocompletion=_kept_pods)
    ] = None,
    list_: Annotated[
        bool, flag("List the debug pods of the namespace.", "--list", callback=runs_nothing)
    ] = False,
    cleanup: Annotated[
        bool,
        flag(
            "Remove debug pods that have ended, or whose agtool process has ended.",
            "--cleanup",
            callback=runs_nothing,
        ),
    ] = False,
    dry_run: DryRun = False,
    _output: OutputOrNames = Format.table,
) -> Result[DebugPods | None]:
    """Open a shell in a new pod, or run COMMAND in it; then remove the pod.

    The exit code is that of COMMAND. 124: the pod did not run in time. 125: agtool failed.
    126: COMMAND cannot be run. 127: COMMAND was not found.

    \b
    Examples:
      agtool debug
      agtool debug -- nslookup myservice
      agtool debug --image python:3.13 -- python -c 'print(1)'
      agtool debug --root -- sh -c 'apk add curl && curl -s http://myservice'
      agtool debug --target pod/web-0
      agtool debug --like deployment/web
      agtool debug --node worker-1
      agtool debug --target pod/web-0 --port-forward 8080:80
      agtool debug --cp pod/web-0:/var/log/app logs
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    check_modes(given_options(command_line), command=bool(command))
    if list_ or cleanup:
        return _debug_pods(cluster, namespace, cleanup=cleanup)
    job = model.Job(
        request=model.Request(
            name=model.new_name(),
            namespace=namespace or "",
            image=parse_image("--image", image),
            lifetime=arguments.parse_lifetime(ttl),
            pull_policy=image_pull_policy,
            env=arguments.parse_env(env or ()),
            labels=arguments.parse_labels("--label", label or ()),
            annotations=arguments.parse_annotations(annotation or ()),
            service_account=arguments.parse_name("--serviceaccount", serviceaccount),
            node_selector=arguments.parse_labels("--node-selector", node_selector or ()),
            tolerations=arguments.parse_tolerations(toleration or ()),
            cpu=arguments.parse_quantity("--cpu", cpu),
            memory=arguments.parse_quantity("--memory", memory),
            user=user,
            root=root,
            node=arguments.parse_name("--node", node),
            keep=keep,
            tools=tools and parse_image("--tools", tools),
            pause_image=pause_image and parse_image("--pause-image", pause_image),
        ),
        cluster=cluster,
        command=() if cp else arguments.parse_command(command or ()),
        shell=shell and arguments.parse_text("--shell", shell),
        stdin=stdin,
        terminal=tty,
        timeout=timeout,
        attach=arguments.parse_name("--attach", attach),
        target=arguments.parse_target(target),
        container=arguments.parse_name("--container", container),
        like=arguments.parse_workload("--like", like),
        record=Path(record) if record else None,
        copy=arguments.parse_copy(command or ()) if cp else None,
        forwards=arguments.parse_forwards(port_forward or ()),
    )
    if dry_run:
        import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this

        from agtool.debug.run import planned

        return Result(None, [yaml.safe_dump_all(planned(job), sort_keys=False).rstrip("\n")])
    from agtool.debug.run import run

    return Result(None, exit_code=run(job))


def _debug_pods(
    cluster: ClusterOptions, namespace: str | None, *, cleanup: bool
) -> Result[DebugPods | None]:
    """The debug pods of the namespace, or those that were removed."""
    from agtool.debug.pod.leftovers import clean_up, debug_pods

    pods: list[DebugPod] = []
    errors: list[AgtoolError] = []
    with cluster.session(namespace=namespace) as session:
        place = f"namespace {session.namespace} of context {session.context}"
        try:
            for pod in (clean_up if cleanup else debug_pods)(session):
                pods.append(pod)  # noqa: PERF402  # what was removed before an error counts
        except AgtoolError as error:
            if not pods:
                raise
            errors.append(error)
    names = [pod.name for pod in pods]
    return Result(DebugPods(pods), _view(pods, place, cleanup=cleanup), errors=errors, names=names)


def _view(pods: Sequence[DebugPod], place: str, *, cleanup: bool) -> View:
    if not pods:
        yield f"{'Nothing to remove' if cleanup else 'No debug pods'} in {place}."
        return
    from agtool.core.table import table

    if cleanup:
        yield f"Removed from {place}:"
    yield table(
        ("NAME", "STATE", "KEPT", "MADE BY", "NODE", "IMAGE", "ENDS"),
        [
            (
                pod.name,
                pod.state,
                "yes" if pod.kept else "",
                pod.made_by,
                pod.node,
                pod.image,
                # With its day: what is kept may end tomorrow.
                f"{pod.ends_at.astimezone():%Y-%m-%d %H:%M}" if pod.ends_at else "",
            )
            for pod in pods
        ],
        identifiers=("NAME", "ENDS"),
    )
