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
    path,
    positive,
    runs_nothing,
    source_of,
    wrapped_command,
)
from agtool.core.system import require_unix
from agtool.debug import arguments, model
from agtool.debug.documents import DebugPod, DebugPods
from agtool.debug.modes import Given, check_modes, check_profile

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
    user: Annotated[
        Text, option("UID[:GID]", "Run as the user with this id, and as the group with that one.")
    ] = None,
    root: Annotated[
        bool, flag("Run as root, to install packages, if the namespace allows it.", "--root")
    ] = False,
    profile: Annotated[
        Literal["general", "baseline", "restricted", "netadmin", "sysadmin"] | None,
        option(
            "PROFILE",
            "Give the container the rights of this profile of kubectl debug: general (trace "
            "processes), baseline, restricted, netadmin or sysadmin (privileged).  [default: what "
            "the namespace allows]",
        ),
    ] = None,
    cap_add: Annotated[
        Texts, _texts("CAPABILITY", "Add this capability, such as SYS_PTRACE or NET_ADMIN.")
    ] = None,
    custom: Annotated[
        Path | None,
        path(
            "FILE",
            "Change the container as this file says: a partial container, or with `spec` a partial "
            "pod, in YAML or JSON. `-` reads it from the input.",
        ),
    ] = None,
    image_pull_secret: Annotated[
        Texts,
        _texts(
            "NAME", "Let the node pull with this Secret, not with those of the service account."
        ),
    ] = None,
    host_network: Annotated[
        bool, flag("Be in the network of the pod's node.", "--host-network")
    ] = False,
    hostname: Annotated[
        Text, option("NAME", "The host name in the pod.  [default: the name of the pod]")
    ] = None,
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
        _texts(
            "[LOCAL:]REMOTE",
            "Let a port of this machine lead to one of the pod while the command runs; `:80` takes "
            "a free one here.",
        ),
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
            "Run in a new container of this pod, beside one of its own. Also KIND/NAME: in one of "
            "the pods of this workload.",
            autocompletion=completion.pods,
        ),
    ] = None,
    pod_index: Annotated[
        int | None,
        number("N", "With --target KIND/NAME: choose the pod with this number", 0, 2**31 - 1),
    ] = None,
    copy: Annotated[
        bool,
        flag(
            "Run in a copy of the pod of --target instead, which does not start its program: for "
            "one that crashes.",
            "--copy",
        ),
    ] = False,
    mounts: Annotated[
        bool, flag("Mount what the container of --target mounts, at the same paths.", "--mounts")
    ] = False,
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
        option(
            "IMAGE",
            "Add the static programs of this image to one without a shell. With --target: run in "
            "the target's container itself, with them.",
        ),
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
            "Remove debug pods that have ended, or whose agtool process has ended, and what is "
            "left of deleted ones.",
            "--cleanup",
            callback=runs_nothing,
        ),
    ] = False,
    all_namespaces: Annotated[
        bool, flag("With --list or --cleanup: in all namespaces.", "-A", "--all-namespaces")
    ] = False,
    print_rbac: Annotated[
        bool,
        flag(
            "Print the roles that allow this command, as YAML, and run nothing.",
            "--print-rbac",
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
      agtool debug --target deployment/web --root --profile netadmin -- tcpdump -ni any
      agtool debug --copy --target pod/crashing-0
      agtool debug --like deployment/web
      agtool debug --node worker-1
      agtool debug --target pod/web-0 --port-forward 8080:80
      agtool debug --cp pod/web-0:/var/log/app logs
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    require_unix("debug")
    given = frozenset(given_options(command_line))
    check_modes(given, command=bool(command))
    if list_ or cleanup:
        if print_rbac:
            from agtool.debug.plan import namespace_of
            from agtool.debug.pod.rights import roles_of_lists

            place = namespace_of(cluster, namespace)
            return _yaml(roles_of_lists(place, cleanup=cleanup, everywhere=all_namespaces))
        return _debug_pods(cluster, namespace, cleanup=cleanup, everywhere=all_namespaces)
    wanted = arguments.parse_workload("--target", target)
    arguments.check_pod_index(pod_index, wanted)
    uid, gid = arguments.parse_user(user)
    check_profile(profile, root=root or uid == 0, capabilities=bool(cap_add))
    of_tools = tools and parse_image("--tools", tools)
    if copy and "--image" not in given:
        image = ""  # that of the pod
    elif wanted and of_tools:
        image = of_tools
    job = model.Job(
        request=model.Request(
            name=model.new_name(),
            namespace=namespace or "",
            image=image and parse_image(source_of(command_line, "--image"), image),
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
            user=uid,
            group=gid,
            root=root,
            node=arguments.parse_name("--node", node),
            keep=keep,
            tools=of_tools,
            profile=profile,
            capabilities=arguments.parse_capabilities(cap_add or ()),
            custom=arguments.read_custom(custom, beside=wanted is not None and not copy),
            pull_secrets=[
                name
                for one in image_pull_secret or ()
                if (name := arguments.parse_name("--image-pull-secret", one))
            ],
            host_network=host_network,
            hostname=arguments.parse_hostname(hostname),
            mounts=mounts,
            pause_image=pause_image
            and parse_image(source_of(command_line, "--pause-image"), pause_image),
        ),
        cluster=cluster,
        command=() if cp else arguments.parse_command(command or ()),
        shell=shell and arguments.parse_text("--shell", shell),
        stdin=stdin,
        terminal=tty,
        timeout=timeout,
        attach=arguments.parse_attach(attach),
        target=wanted,
        in_copy=copy,
        pod_index=pod_index,
        container=arguments.parse_name("--container", container),
        like=arguments.parse_workload("--like", like),
        record=Path(record) if record else None,
        copy=arguments.parse_copy(command or ()) if cp else None,
        forwards=arguments.parse_forwards(port_forward or ()),
        given=Given(given, profile),
    )
    if print_rbac:
        from agtool.debug.plan import needed

        return _yaml(needed(job))
    if dry_run:
        from agtool.debug.plan import planned

        return _yaml(planned(job))
    from agtool.debug.run import run

    return Result(None, exit_code=run(job))


def _yaml(objects: Sequence[dict[str, Any]]) -> Result[DebugPods | None]:
    import yaml  # type: ignore[import-untyped]  # its stubs would be one more package for this

    return Result(None, [yaml.safe_dump_all(objects, sort_keys=False).rstrip("\n")])


def _debug_pods(
    cluster: ClusterOptions, namespace: str | None, *, cleanup: bool, everywhere: bool
) -> Result[DebugPods | None]:
    """The debug pods of the namespace, or those that were removed."""
    from agtool.debug.pod.leftovers import clean_up, debug_pods

    pods: list[DebugPod] = []
    errors: list[AgtoolError] = []
    with cluster.session(namespace=namespace) as session:
        spaces = "all namespaces" if everywhere else f"namespace {session.namespace}"
        place = f"{spaces} of context {session.context}"
        try:
            for pod in (clean_up if cleanup else debug_pods)(session, everywhere=everywhere):
                pods.append(pod)  # noqa: PERF402  # what was removed before an error counts
        except AgtoolError as error:
            if not pods:
                raise
            errors.append(error)
    names = [f"{pod.namespace}/{pod.name}" if everywhere else pod.name for pod in pods]
    view = _view(pods, place, cleanup=cleanup, everywhere=everywhere)
    return Result(DebugPods(pods), view, errors=errors, names=names)


def _view(pods: Sequence[DebugPod], place: str, *, cleanup: bool, everywhere: bool) -> View:
    if not pods:
        yield f"{'Nothing to remove' if cleanup else 'No debug pods'} in {place}."
        return
    from agtool.core.table import table

    if cleanup:
        yield f"Removed from {place}:"
    space = ["NAMESPACE"] if everywhere else []
    yield table(
        (*space, "NAME", "STATE", "KEPT", "MADE BY", "NODE", "IMAGE", "ENDS"),
        [
            (
                *([pod.namespace] if everywhere else []),
                pod.name,
                pod.state,
                "yes" if pod.kept else "",
                pod.made_by,
                pod.node,
                pod.image,
                # With its day: what is kept may end tomorrow.
                f"{pod.ends_at.astimezone():%Y-%m-%d %H:%M %Z}" if pod.ends_at else "",
            )
            for pod in pods
        ],
        identifiers=(*space, "NAME", "ENDS"),
    )
