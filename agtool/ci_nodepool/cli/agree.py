"""Show a person what would be changed, and ask."""

from __future__ import annotations

from collections.abc import Sequence

from agtool.ci_nodepool.cli.options import ChangeOptions
from agtool.ci_nodepool.jobs import RunnerChange
from agtool.ci_nodepool.nodes import NodesChange
from agtool.ci_nodepool.show.changes import affected_lines, diff_lines, diff_of, warning_lines
from agtool.core.output import say
from agtool.core.question import Question
from agtool.core.text import count


def agree(
    options: ChangeOptions,
    *,
    runners: Sequence[RunnerChange] = (),
    nodes: Sequence[NodesChange] = (),
    named: bool,
) -> bool:
    """Whether the changes are to be made: not in a dry run.

    Args:
        named: all that is to be changed was named, which is an answer.

    Raises:
        DeclinedError: the person said no.
        UsageError: nobody is there to ask.
    """
    if options.dry_run:
        return False
    warnings = [warning for change in runners for warning in change.warnings]
    warnings += [warning for change in nodes for warning in change.warnings]
    lines = [*warning_lines(dict.fromkeys(warnings))]
    lines += [line for change in nodes for line in affected_lines(change.affected)]
    changes = [change for each in nodes for change in each.changes]
    runners = list(filter(None, runners))
    if named or not (changes or runners):
        say("\n".join(lines))
        return True
    lines = [*map(diff_of, runners), *diff_lines(changes), *lines]
    say("\n".join(lines))
    deeds = [
        f"change {change.plan.runner}{' and restart it' * change.restart}" for change in runners
    ]
    if changes:
        deeds.append(f"change {count(len({each.node.name for each in changes}), 'node')}")
    question = f"{', and '.join(deeds)}?"
    Question(yes=options.yes, output=options.output).confirm(question[0].upper() + question[1:])
    return True
