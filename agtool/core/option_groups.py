"""Options that belong together, written down once: a NamedTuple whose fields are options.

A command takes the tuple as one parameter, and Typer sees the fields:

    class Cluster(NamedTuple):
        context: Annotated[str | None, typer.Option()] = None

    @grouped
    def command(cluster: Cluster) -> int: ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints


def grouped(command: Callable[..., int]) -> Callable[..., int]:
    """`command` for Typer: with the fields of its groups in the place of the groups."""
    parameters: list[inspect.Parameter] = []
    groups: dict[str, Any] = {}
    # Not get_type_hints(): Python 3.10's makes what has the default None Optional[Annotated[...]],
    # in which Typer does not find its Argument.
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        hint = parameter.annotation
        if not hasattr(hint, "_field_defaults"):
            parameters.append(_option(parameter.name, parameter.default, hint))
            continue
        groups[parameter.name] = hint
        fields = get_type_hints(hint, include_extras=True)
        parameters += [_option(n, hint._field_defaults[n], fields[n]) for n in hint._fields]

    def run(**values: Any) -> int:
        made = {
            name: group(**{field: values.pop(field) for field in group._fields})
            for name, group in groups.items()
        }
        return command(**made, **values)

    run.__name__ = command.__name__
    run.__doc__ = command.__doc__
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    return run


def _option(name: str, default: object, hint: Any) -> inspect.Parameter:
    keyword = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(name, keyword, default=default, annotation=hint)
