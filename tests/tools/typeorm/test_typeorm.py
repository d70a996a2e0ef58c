"""TypeORM."""

from tests.tools.scenario import Scenario
from tests.tools.target import Target


class TestTypeORM(Scenario):
    tool = "typeorm"

    def secret(self, target: Target) -> str:
        return target.url.replace("mysql+pymysql:", "mysql:")
