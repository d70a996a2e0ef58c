"""Prisma 6 with its engine in JavaScript: the one in Rust does not come with the package."""

from tests.tools.scenario import Scenario, check_schema, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target
from tests.tools.urls import node_url


class TestPrisma(Scenario):
    tool = "prisma"
    engines = ("postgresql",)
    stuck = "P3009"

    def secret(self, target: Target) -> str:
        return node_url(target)

    def prepare(self, stage: Stage) -> None:
        # Prisma would fetch its query engine, which migrations do not use. Any file stands for it.
        stage.env["PRISMA_QUERY_ENGINE_LIBRARY"] = __file__
        # `resolve` asks the engine in Rust whether the database can be reached, and nothing else.
        stage.env["PRISMA_SCHEMA_ENGINE_BINARY"] = "/bin/true"

    def test_reset(self, stage: Stage) -> None:
        """Prisma's reset migrates anew by itself, so there is nothing left to do."""
        stage.build(2)
        one_of(stage.rollout(1))
        stage.target.execute("INSERT INTO customers (id, name) VALUES (1, 'old')")
        reset = stage.shell(stage.page.block("A reset", "sh"))
        assert reset.exit_code == 0, reset.stderr
        check_schema(stage.target, 2)
        assert stage.target.rows("SELECT count(*) FROM customers") == [(0,)], "not reset"
        assert {replica.outcome for replica in stage.rollout()} == {"already-done"}
