"""Prisma 6 with its engine in JavaScript: the one in Rust does not come with the package."""

from tests.tools.scenario import Scenario
from tests.tools.target import Target


class TestPrisma(Scenario):
    tool = "prisma"
    stuck = "P3009"

    def secret(self, target: Target) -> str:
        return target.url.replace("mysql+pymysql:", "mysql:")
