"""Prisma 6 with its engine in JavaScript: the one in Rust does not come with the package."""

from tests.tools.scenario import Scenario
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
