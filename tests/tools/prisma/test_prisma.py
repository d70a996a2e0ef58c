"""Prisma 6 with its engine in JavaScript: the one in Rust does not come with the package."""

from tests.tools.scenario import Scenario
from tests.tools.target import Target
from tests.tools.urls import node_url


class TestPrisma(Scenario):
    tool = "prisma"
    stuck = "P3009"

    def secret(self, target: Target) -> str:
        return node_url(target)
