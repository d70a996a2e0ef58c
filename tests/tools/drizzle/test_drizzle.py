"""Drizzle's kit."""

from collections.abc import Sequence

import pytest

from tests.tools.scenario import Scenario, check_schema, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target
from tests.tools.urls import node_url

KIT = "node_modules/.bin/drizzle-kit"


class TestDrizzle(Scenario):
    tool = "drizzle"

    def secret(self, target: Target) -> str:
        return node_url(target)

    def prepare(self, stage: Stage) -> None:
        stage.env |= stage.target.clients()

    def resets(self, stage: Stage) -> Sequence[str]:
        if stage.target.engine == "postgresql":
            return super().resets(stage)
        statements = stage.page.block("A reset", "sql").replace("shop", stage.target.name)
        script = f"agtool migrate-once --name reset -- \"$@\" -e '{statements}'"
        return [f"set -- {' '.join(stage.target.load())}; {script}"]

    def test_emptied(self, stage: Stage) -> None:
        """All tables, Drizzle's own too."""
        stage.build(1)
        one_of(stage.rollout(1))
        if stage.target.engine == "postgresql":
            stage.target.execute("DROP SCHEMA drizzle CASCADE")
        stage.target.drop_tables()
        one_of(stage.rollout())
        check_schema(stage.target, 1)

    @pytest.mark.parametrize("what", ["push --force", "pull"])
    def test_diffs_leave_agtools_tables_alone(self, stage: Stage, what: str) -> None:
        stage.build(1)
        one_of(stage.rollout(1))
        before = stage.target.agtools_tables()
        assert before, "nothing to leave alone"
        done = stage.shell(f"{KIT} {what}")
        assert done.exit_code == 0, done.stdout + done.stderr
        assert "agtool_" not in done.stdout + done.stderr
        assert stage.target.agtools_tables() == before
        check_schema(stage.target, 1)
        for made in (stage.project / "migrations").glob("*.ts"):
            assert "agtool_" not in made.read_text()
