"""TypeORM."""

from tests.tools.scenario import Scenario, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target
from tests.tools.urls import node_url


class TestTypeORM(Scenario):
    tool = "typeorm"

    def secret(self, target: Target) -> str:
        return node_url(target)

    def test_diffs_leave_agtools_tables_alone(self, stage: Stage) -> None:
        stage.build(1)
        one_of(stage.rollout(1))
        before = stage.target.agtools_tables()
        assert before, "nothing to leave alone"
        for command in ("schema:log", "schema:sync"):
            done = stage.shell(f"node_modules/.bin/typeorm {command} --dataSource data-source.js")
            assert done.exit_code == 0, done.stdout + done.stderr
            assert "agtool_" not in done.stdout + done.stderr
        assert stage.target.agtools_tables() == before
