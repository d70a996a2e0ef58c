"""goose's own program."""

from tests.tools.scenario import Scenario
from tests.tools.stage import Stage
from tests.tools.target import Target


class TestGoose(Scenario):
    tool = "goose"
    reset_leaves_tables = True

    def secret(self, target: Target) -> str:
        if target.engine == "postgresql":
            return f"{target.url}?sslmode=disable"
        server = f"tcp({target.server.host}:{target.server.port})"
        return f"{target.role}:{target.password}@{server}/{target.name}?parseTime=true"

    def prepare(self, stage: Stage) -> None:
        if stage.target.engine == "mysql":
            stage.env["GOOSE_DRIVER"] = "mysql"
