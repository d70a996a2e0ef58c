"""`agtool le-staging remove`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agtool.core.command import Format, Result
from agtool.core.options import DryRun, Output, Yes
from agtool.core.output import say
from agtool.core.question import Question
from agtool.le_staging.cli.lines import lines

if TYPE_CHECKING:
    from agtool.le_staging import documents


def remove(
    yes: Yes = False, dry_run: DryRun = False, output: Output = Format.table
) -> Result[documents.Removed]:
    """Remove everything that `agtool le-staging` has made.

    These are the browser profiles with their history and cookies, the launcher and
    its icons, and the fetched roots. Your normal browser does not change.

    \b
    Examples:
      agtool le-staging remove --dry-run
      agtool le-staging remove --yes
    """  # noqa: D301  # the backslash keeps the examples' lines apart
    from agtool.le_staging import removal
    from agtool.le_staging.documents import Removed

    found = [str(path) for path in removal.find()]
    if found and not dry_run:
        question = Question(yes=yes, output=output)
        text = "Remove the browser profiles, the launcher and the roots?"
        question.require_answer(text)
        if not yes:
            say("\n".join(found))
        question.confirm(text, declined="nothing was removed")
        removal.remove()
    elif not found:
        say("there is nothing to remove")
    view = lines("would remove" if dry_run else "removed", *found)
    return Result(Removed(dry_run, found), view)
