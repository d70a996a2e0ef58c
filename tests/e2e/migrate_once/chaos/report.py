"""What rounds came to."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.e2e.migrate_once.chaos.choice import Choice


@dataclass(frozen=True)
class Violation:
    """A round that broke a promise: what was wrong, and all that is known about it."""

    choice: Choice
    problems: tuple[str, ...]
    details: str

    def __str__(self) -> str:
        """For people."""
        faults = ", ".join(f"{number} {name}" for number, name in self.choice.faults)
        lines = [f"VIOLATION: {problem}" for problem in self.problems]
        return "\n".join([*lines, f"  faults: {faults}", f"  {self.choice}", self.details])


@dataclass
class Report:
    """What many rounds came to."""

    rounds: int = 0
    replicas: int = 0
    runs: int = 0
    traces: int = 0
    struck: Counter[str] = field(default_factory=Counter)
    exit_codes: Counter[int | None] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count what another one has."""
        self.rounds += other.rounds
        self.replicas += other.replicas
        self.runs += other.runs
        self.traces += other.traces
        self.struck.update(other.struck)
        self.exit_codes.update(other.exit_codes)
        self.violations += other.violations

    def __str__(self) -> str:
        """For people."""
        struck = ", ".join(f"{name} {count}" for name, count in self.struck.most_common())
        codes = ", ".join(f"{code}: {count}" for code, count in self.exit_codes.most_common())
        return (
            f"{self.rounds} rounds, {self.replicas} replicas, {self.runs} runs of the command, "
            f"{self.traces} traces held against the model, {len(self.violations)} violations\n"
            f"faults: {struck}\nexit codes: {codes}"
        )
