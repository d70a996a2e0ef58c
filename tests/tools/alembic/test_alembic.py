"""Alembic, whose env.py has the page's lines."""

from tests.tools.scenario import Scenario, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target


class TestAlembic(Scenario):
    tool = "alembic"
    reset_leaves_tables = True

    def secret(self, target: Target) -> str:
        # SQLAlchemy 2.1 takes `postgresql://` for psycopg 3.
        return target.url.replace("postgresql://", "postgresql+psycopg2://")

    def test_autogenerate_leaves_agtools_tables_alone(self, stage: Stage) -> None:
        stage.build(2)
        lines = stage.page.block("Dumps and diffs", "python")
        assert lines in (stage.project / "migrations" / "env.py").read_text()
        one_of(stage.rollout(1))
        assert stage.target.agtools_tables(), "nothing to leave alone"
        check = stage.shell("alembic check")
        assert check.exit_code == 0, check.stdout + check.stderr
