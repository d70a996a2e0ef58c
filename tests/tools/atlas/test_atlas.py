"""Atlas's library, in a program that does what Atlas's own would: that is not to be had here."""

from tests.tools.scenario import Scenario, Tool, check_schema, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target


class TestAtlas(Scenario):
    tool = "atlas"

    def secret(self, target: Target) -> str:
        if target.engine == "postgresql":
            return f"{target.url}?sslmode=disable&search_path=public"
        return target.url.replace("mysql+pymysql://", "mariadb://")

    def test_inspect_leaves_agtools_tables_alone(self, stage: Stage) -> None:
        check_inspect(stage)


class TestAtlasWithoutSearchPath(Tool):
    """All schemas of PostgreSQL are Atlas's then."""

    tool = "atlas"
    engines = ("postgresql",)

    def secret(self, target: Target) -> str:
        return f"{target.url}?sslmode=disable"

    def test_first_install(self, stage: Stage) -> None:
        """Atlas refuses a database that has any schema but an empty `public`."""
        stage.build(1)
        one_of(stage.rollout())
        check_schema(stage.target, 1)

    def test_inspect_leaves_agtools_schema_alone(self, stage: Stage) -> None:
        check_inspect(stage)


def check_inspect(stage: Stage) -> None:
    """Inspect with the page's exclusion. Raises AssertionError if anything of agtool's is seen."""
    stage.build(2)
    one_of(stage.rollout(1))
    assert stage.target.agtools_tables(), "nothing to leave alone"
    done = stage.shell(stage.page.block("Dumps and diffs", "sh"))
    assert done.exit_code == 0, done.stderr
    assert 'table "customers"' in done.stdout
    assert "agtool" not in done.stdout
