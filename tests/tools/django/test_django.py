"""Django, with dj-database-url."""

from tests.tools.scenario import Scenario, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target


class TestDjango(Scenario):
    tool = "django"
    reset_leaves_tables = True

    def secret(self, target: Target) -> str:
        return target.url.replace("mysql+pymysql://", "mysql://")

    def test_inspectdb_leaves_agtools_tables_alone(self, stage: Stage) -> None:
        stage.build(2)
        one_of(stage.rollout(1))
        assert stage.target.agtools_tables(), "nothing to leave alone"
        models = stage.shell(stage.page.block("Dumps and diffs", "sh"))
        assert models.exit_code == 0, models.stderr
        assert "class Customers(" in models.stdout
        assert "agtool" not in models.stdout.lower()
