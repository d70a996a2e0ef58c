"""The options that say what is good enough, each written once."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

import typer

from agtool.core.errors import ConfigurationError, DeniedError, UnreachableError
from agtool.core.options import flag, number, option
from agtool.core.output import say

if TYPE_CHECKING:
    from agtool.core.finding import Finding
    from agtool.le_staging.roots.store import Root


def _share(value: str | float) -> float:
    if isinstance(value, float):
        return value
    if not (re.fullmatch(r"\d{1,3}(\.\d{1,3})?%", value) and float(value[:-1]) <= 100):
        raise typer.BadParameter(f"{value!r} is not a share of the lifetime, such as 33%.")
    return float(value[:-1]) / 100


Expect = Annotated[
    Literal["staging", "production"],
    option("[staging|production]", "Say which certificates count as a success."),
]

WarnDays = Annotated[
    int, number("DAYS", "Warn of certificates that expire within DAYS days", 0, 36500)
]

WarnLeft = Annotated[
    float,
    typer.Option(
        metavar="PERCENT",
        parser=_share,
        help="Warn of certificates with this share of their lifetime left, as in 33%.",
        show_default=False,
    ),
]

FailOnWarning = Annotated[
    bool, flag("Let a warning end with exit code 1, as a failure does.", "--fail-on-warning")
]


class Judging(NamedTuple):
    """What is good enough."""

    expect: Expect = "staging"
    warn_days: WarnDays = 0
    warn_left: WarnLeft = 0.0
    fail_on_warning: FailOnWarning = False

    def settings(self, cacert: Iterable[Path] | None) -> dict[str, Any]:
        """What `verify.look.How` has of this, with the roots. Raises as `roots.fetch.ensure`."""
        from agtool.le_staging.verify.judge import Verdict

        own = own_roots(cacert or ())
        return {
            "roots": (*self._roots(needed=not own), *own),
            "expected": Verdict[self.expect],
            "warn_days": self.warn_days,
            "warn_left": self.warn_left,
        }

    def _roots(self, *, needed: bool) -> "list[Root]":
        """The roots of staging; for production, or with own ones, it works without them."""
        from agtool.le_staging.roots import fetch, store

        if self.expect != "production":
            try:
                return fetch.ensure()
            except (UnreachableError, DeniedError) as error:
                if needed:
                    raise
                say(f"{error.message}; only --cacert counts", level="warning", hint=error.hint)
                return []
        try:
            return store.roots()
        except store.NotFetched:
            return []
        except ConfigurationError as error:
            say(f"{error.message}; production works without", level="warning", hint=error.hint)
            return []

    def exit_code(self, rows: "Iterable[tuple[bool, Iterable[Finding]]]") -> int:
        """0, or 1 if one is not as expected; rows: whether it is, and its warnings."""
        return int(
            any(not fine or (self.fail_on_warning and any(warnings)) for fine, warnings in rows)
        )


def own_roots(files: Iterable[Path]) -> "list[Root]":
    """The roots in the files of --cacert. Raises ConfigurationError or DeniedError."""
    from agtool.le_staging.roots.given import read

    return [root for file in files for root in read(file)]
