"""TypeORM."""

from tests.tools.scenario import Scenario
from tests.tools.target import Target
from tests.tools.urls import node_url


class TestTypeORM(Scenario):
    tool = "typeorm"

    def secret(self, target: Target) -> str:
        return node_url(target)
