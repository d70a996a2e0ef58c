"""A counter-example as a sequence diagram in plain text: one column for each invocation."""

from collections.abc import Sequence

from tests.model.spin import Step, Verdict

_WORDS = {
    "LOCKED": "gets the lock",
    "FOUND": "finds the key done",
    "REAPED": "records the end of the other",
    "STARTED": "records that it begins",
    "PROVEN": "proves the lock",
    "COMMAND": "starts its command",
    "OVER": "sees the end of its command",
    "DONE": "marks the key as done",
    "ENDED": "records its own end",
}
_WIDTH = 34


def draw(verdict: Verdict) -> str:
    """The steps to a violation. What agtool does stands plain, what befalls it in brackets."""
    rows = [f"{'first':<{_WIDTH}}| second", f"{'-' * _WIDTH}|{'-' * _WIDTH}"]
    rows += [_row(step) for step in verdict.steps]
    return "\n".join([*rows, f"=> {_meaning(verdict.problem)}"])


def _row(step: Step) -> str:
    text = _WORDS.get(step.what) or f"[{step.what}]"
    return f"{'':<{_WIDTH}}| {text}" if step.who else f"{text:<{_WIDTH}}|"


def _meaning(problem: str) -> str:
    if "marked" in problem:
        return "a command runs, although the key is done"
    if "lost" in problem:
        return "a key is marked by a run that does not hold the lock"
    if "command" in problem:
        return "two commands are at work"
    return problem


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table in Markdown."""
    head, *body = rows
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
