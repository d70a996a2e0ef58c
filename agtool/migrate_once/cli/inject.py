"""`migrate-once inject`: parse, wire, hand the result on.

Not with postponed annotations, as in options.
"""

import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from agtool.core.command import Format, Result, make_app
from agtool.core.duration import parse_duration
from agtool.core.errors import UsageError, without_effect
from agtool.core.image import parse_image
from agtool.core.options import (
    flag,
    given_options,
    grouped,
    not_empty,
    number,
    option,
    output_option,
    source_of,
)
from agtool.core.output import say

if TYPE_CHECKING:
    from agtool.migrate_once import documents
    from agtool.migrate_once.inject.additions import Wish
    from agtool.migrate_once.inject.manifests import File
    from agtool.migrate_once.inject.run import Outcome

app = make_app()

RELEASED: str | None = None
"""The image of this release with agtool's folder, for --image; None: there is none yet."""

Text = str | None


def _duration(value: Text) -> Text:
    """A duration, as it was written."""
    not_empty(value)
    try:
        if value is not None:
            parse_duration(value)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    return value


def _grace(value: Text) -> Text:
    from agtool.migrate_once.cli.options import not_too_long

    if _duration(value) is not None:
        not_too_long(parse_duration(value or ""))
    return value


def _time(help_: str, callback: Any = _duration) -> Any:
    return option("DURATION", help_, callback=callback)


class TargetOptions(NamedTuple):
    """What is changed, and what it is to run."""

    workload: Annotated[
        Text,
        option("KIND/NAME", "The workload, such as deployment/shop.  [default: the only one]"),
    ] = None
    container: Annotated[
        Text,
        option("NAME", "The container whose image runs COMMAND.  [default: the only one]"),
    ] = None
    command: Annotated[
        Text,
        option(
            "COMMAND", "The command as one text, split as a shell would; or write it behind --."
        ),
    ] = None
    init_container: Annotated[
        Text,
        option("NAME", "Let this init container run once; its command and args are kept."),
    ] = None
    image: Annotated[
        Text, option("REF", "The image that holds agtool's folder.", envvar="AGTOOL_IMAGE")
    ] = None
    method: Annotated[
        Literal["copy", "image-volume"],
        option(
            "[copy|image-volume]",
            "How the folder gets into the pods: an init container copies it, or its image is "
            "mounted (Kubernetes 1.35).",
        ),
    ] = "copy"


class RunOptions(NamedTuple):
    """Options of `agtool migrate-once` that are handed on to it."""

    key: Annotated[
        Text,
        option(
            "KEY", "Run COMMAND once for this key.  [default: the image with its digest or tag]"
        ),
    ] = None
    name: Annotated[Text, option("NAME", "The name of COMMAND in the history.")] = None
    attempts: Annotated[
        int | None,
        number("NUMBER", "Do not run COMMAND any more once it has failed so often", 1, 1000),
    ] = None
    wait_timeout: Annotated[Text, _time("Stop waiting for the lock after this time.")] = None
    connect_timeout: Annotated[
        Text, _time("Stop trying to reach the database after this time.")
    ] = None
    kill_grace: Annotated[
        Text, _time("Wait this time between SIGTERM and SIGKILL when the lock is lost.", _grace)
    ] = None
    lock: Annotated[
        Literal["table", "advisory"] | None,
        option("[table|advisory]", "Which kind of lock to take (PostgreSQL)."),
    ] = None
    lock_table: Annotated[Text, option("[SCHEMA.]TABLE", "Lock this table.")] = None


class DatabaseOptions(NamedTuple):
    """Which database, by what the container has; handed on as well."""

    database_url_env: Annotated[
        Text, option("NAME", "The container's variable that holds the database's URL.")
    ] = None
    database_url_file: Annotated[
        Text, option("FILE", "The file in the container that holds it, such as a mounted Secret.")
    ] = None
    engine: Annotated[
        Literal["postgresql", "mysql", "mariadb", "sqlite"] | None,
        typer.Option(
            metavar="[postgresql|mysql|mariadb|sqlite]",
            help="The kind of database, if it is given in parts instead of a URL.",
        ),
    ] = None
    host: Annotated[Text, option("HOST", "Its server.")] = None
    host_env: Annotated[Text, option("NAME", "The variable that holds the server's name.")] = None
    port: Annotated[int | None, number("PORT", "Its port", 1, 65535)] = None
    port_env: Annotated[Text, option("NAME", "The variable that holds the port.")] = None
    user: Annotated[Text, option("NAME", "The account.")] = None
    user_env: Annotated[Text, option("NAME", "The variable that holds the account's name.")] = None
    password_file: Annotated[
        Text, option("FILE", "The file in the container that holds the password.")
    ] = None
    password_env: Annotated[Text, option("NAME", "The variable that holds the password.")] = None
    password_command: Annotated[
        Text, option("COMMAND", "The command in the container that prints the password.")
    ] = None
    database: Annotated[Text, option("NAME", "The database; the file of SQLite.")] = None
    database_env: Annotated[
        Text, option("NAME", "The variable that holds the database's name.")
    ] = None


class Request(NamedTuple):
    """All that can also be asked for by a function's configuration."""

    target: TargetOptions
    run: RunOptions
    database: DatabaseOptions
    remove: bool
    words: Sequence[str]

    def with_fields(self, values: Mapping[str, Any]) -> "Request":
        """The same with other values of some options."""
        groups = {
            name: group._replace(**{k: v for k, v in values.items() if k in group._fields})
            for name in ("target", "run", "database")
            for group in [getattr(self, name)]
        }
        return self._replace(**groups, remove=values.get("remove", self.remove))


@app.command("migrate-once inject")
@grouped
def inject(  # noqa: PLR0917  # Typer's way: a parameter is an option
    context: typer.Context,
    target: TargetOptions,
    run: RunOptions,
    database: DatabaseOptions,
    files: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[FILE]... [-- COMMAND [ARG]...]",
            help="Manifests, or folders of them; none, or -: standard input.",
            show_default=False,
        ),
    ] = None,
    remove: Annotated[
        bool, flag("Take out what was added: of the workload, or of all.", "--remove")
    ] = False,
    in_place: Annotated[
        bool, flag("Write the files, instead of printing the manifests.", "--in-place")
    ] = False,
    output: Annotated[Format, output_option("yaml", "diff", "json")] = Format.yaml,
) -> "Result[documents.Injected]":
    """Add it to the manifest of a workload, whatever its image is.

    Prints the manifests with an init container that runs COMMAND once among all
    replicas, in the image of the workload's own container; nothing else changes.
    No cluster is needed.

    \b
    Examples:
      agtool migrate-once inject shop.yaml --in-place -- rails db:migrate
      helm template shop ./chart | agtool migrate-once inject -- rails db:migrate
      agtool migrate-once inject shop.yaml --init-container migrate -o diff
      agtool migrate-once inject shop.yaml --remove
    """  # noqa: D301
    from agtool.migrate_once.inject import files as manifests
    from agtool.migrate_once.inject import run as runs
    from agtool.migrate_once.workload import parse_workload

    names, words = _split(files or (), sys.argv)
    request = Request(target, run, database, remove, words)
    loaded = manifests.load(names)
    if in_place and any(each.name == "stdin" for each in loaded):
        raise UsageError("standard input cannot be written in place", hint="Name a file.")
    given = given_options(context)
    if len(loaded) == 1:
        request, given = _of_function(context, loaded[0], request, given)
    wanted = parse_workload(request.target.workload) if request.target.workload else None
    if request.remove:
        _refuse_beside_remove(given, request.words)
        outcome = runs.remove(loaded, wanted)
    else:
        image_option = "--image" if "--image" in given else source_of(context, "--image")
        outcome = runs.inject(loaded, wanted, _wish(request, image_option))
    changed = [
        (file, text) for file, text in zip(loaded, outcome.texts, strict=True) if text != file.text
    ]
    written = manifests.write(changed) if in_place else []
    return _result(outcome, changed, written, output, in_place=in_place)


def _split(arguments: Sequence[str], line: Sequence[str]) -> tuple[list[str], list[str]]:
    """The files, and the words of COMMAND behind `--`, which Typer does not tell apart."""
    if "--" not in line:
        return list(arguments), []
    words = list(line[line.index("--") + 1 :])
    at = len(arguments) - len(words)
    if list(arguments[at:]) != words:  # it is an option's value
        return list(arguments), []
    return list(arguments[:at]), words


def _of_function(
    context: typer.Context, file: "File", request: Request, given: set[str]
) -> tuple[Request, set[str]]:
    """What is asked for by the configuration of a function, if stdin is a ResourceList."""
    from agtool.migrate_once.inject.resources import function_options

    spec = function_options(file.name, file.text)
    if spec is None:
        return request, given
    known = {
        max(one.opts, key=len).removeprefix("--"): one
        for one in context.command.params
        if one.param_type_name == "option"
    }
    values: dict[str, Any] = {}
    words = request.words
    for name, value in spec.items():
        if name == "command" and isinstance(value, list):
            if not all(isinstance(each, str) for each in value):
                raise UsageError("a word of command in functionConfig's spec is not a text")
            words = list(map(str, value))
            continue
        if name not in known or name in ("in-place", "output", "help"):
            raise UsageError(
                f"functionConfig's spec has a field {name!r}, which is no option of inject",
                hint="Options stand there under their own names, such as init-container.",
            )
        if isinstance(value, list | dict) or value is None:
            raise UsageError(f"the field {name} of functionConfig's spec is not a text")
        values[known[name].name or ""] = known[name].process_value(context, str(value))
    made = request.with_fields(values)._replace(words=words)
    return made, given | {f"--{name}" for name in spec}


def _refuse_beside_remove(given: set[str], words: Sequence[str]) -> None:
    useless = given - {"--remove", "--workload", "--in-place", "--output"}
    if useless:
        raise without_effect(min(useless), "with --remove")
    if words:
        raise UsageError("--remove runs no command", hint="Leave out what follows --.")


def _wish(request: Request, image_option: str) -> "Wish":
    """What is to be added.

    Args:
        image_option: where the image was named, for messages.

    Raises:
        UsageError: the options do not say it.
    """
    from agtool.migrate_once.inject.additions import Wish
    from agtool.migrate_once.inject.command import check_words, split_command

    target, database = request.target, request.database
    if target.command and request.words:
        raise UsageError("--command and a COMMAND behind -- cannot be given together")
    command = split_command(target.command) if target.command else None
    if request.words:
        command = check_words(request.words)
    if target.init_container and target.container:
        raise without_effect("--container", "with --init-container")
    if command is None and not target.init_container:
        raise UsageError(
            "there is no COMMAND to run",
            hint='Add it: agtool migrate-once inject ... --command "rails db:migrate", or behind '
            "--. An init container that has it already: --init-container NAME.",
        )
    _check(request.run, database)
    image = target.image or RELEASED
    if image is None:
        raise UsageError(
            "nothing says which image holds agtool's folder, and this agtool has no released one",
            hint="Push the image that `make bundle` makes to your registry, and name it with "
            "--image REF or in the environment variable AGTOOL_IMAGE.",
        )
    return Wish(
        image=parse_image(image_option, image),
        method=target.method,
        arguments=tuple(_arguments(request.run, database)),
        key=request.run.key,
        command=tuple(command) if command else None,
        container=target.container,
        init_container=target.init_container,
        variables={
            f"--{field.replace('_', '-')}": value
            for field, value in database._asdict().items()
            if field.endswith("_env") and value
        },
        told=any(value is not None for value in database),
    )


def _check(run: RunOptions, database: DatabaseOptions) -> None:
    """Raise UsageError for what the agtool in the pod would refuse at once, by its own checks."""
    from agtool.migrate_once.cli import options
    from agtool.migrate_once.engines import check_lock
    from agtool.migrate_once.inject.command import check_utf8
    from agtool.migrate_once.model import TableName
    from agtool.migrate_once.url.password_command import PasswordCommand

    for word in _arguments(run, database):
        check_utf8(word.partition("=")[0], word)
    options.KeyOptions(run.name or "default", run.key).attempt()
    # What has $(NAME) in it is known in the container only.
    if run.lock_table and "$(" not in run.lock_table:
        TableName.parse(run.lock_table)
    if database.password_command and "$(" not in database.password_command:
        PasswordCommand.parse(database.password_command)
    if database.password_file and database.password_command:
        raise UsageError("--password-file and --password-command cannot be given together")
    if engine := database.engine:
        name = "mysql" if engine == "mariadb" else engine
        check_lock(name, run.lock, f"of --engine {engine}", has_table=run.lock_table is not None)
    given: Any = {field: value for field, value in database._asdict().items() if value is not None}
    variables = dict.fromkeys(map(str, given.values()), "it is in the container")
    shown = {f"--{field.replace('_', '-')}" for field in given}
    options.DatabaseOptions(**given).from_environment(variables, shown)


def _arguments(run: RunOptions, database: DatabaseOptions) -> Iterator[str]:
    """The options that are handed on, each with its value in one word."""
    for group in (run, database):
        for field, value in group._asdict().items():
            if value is not None and field != "key":
                yield f"--{field.replace('_', '-')}={value}"


def _result(
    outcome: "Outcome",
    changed: "Sequence[tuple[File, str]]",
    written: list[str],
    output: Format,
    *,
    in_place: bool,
) -> "Result[documents.Injected]":
    from agtool.migrate_once import documents
    from agtool.migrate_once.inject.difference import difference
    from agtool.migrate_once.inject.files import joined

    lines = (
        [line for file, text in changed for line in difference(file.text, text, file.name)]
        if output is not Format.yaml
        else []
    )
    told = [f"{each.workload} in {each.file}: {each.action}" for each in outcome.workloads]
    told = told or ["nothing that agtool has added was found"]
    data = documents.Injected(outcome.workloads, written, "\n".join(lines))
    if output is Format.yaml and not in_place:
        for line in told:
            say(line, "injected")
        return Result(data, [joined(outcome.texts)])
    return Result(data, [*lines, *told] if in_place else lines)
