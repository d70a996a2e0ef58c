"""golang-migrate's own program."""

from urllib.parse import quote

from tests.tools.scenario import Scenario, check_schema, one_of, wait_at_the_gate
from tests.tools.stage import Stage
from tests.tools.target import Target


class TestGolangMigrate(Scenario):
    tool = "golang-migrate"
    stuck = "Dirty database version 4"

    def secret(self, target: Target) -> str:
        if target.engine == "postgresql":
            return f"{target.url}?sslmode=disable&x-migrations-table=schema_migrations"
        server = f"tcp({target.server.host}:{target.server.port})"
        return f"mysql://{target.role}:{quote(target.password)}@{server}/{target.name}"

    def test_killed_in_the_first_migration(self, stage: Stage) -> None:
        """There is no version before it: -1 stands for that."""
        stage.build(1)
        first = stage.project / "migrations" / "1_customers.up.sql"
        usual = first.read_text()
        first.write_text(f"{stage.target.statements['late']};")
        with stage.target.closed() as open_gate:
            winner = stage.start()
            wait_at_the_gate(stage.target, winner)
            killed = stage.target.at_the_gate()
            winner.kill()
            done = stage.start().end()
            assert "Dirty database version 1" in done.stdout + done.stderr
            assert not stage.target.at_the_gate() & killed
            open_gate()
        first.write_text(usual)
        command = stage.page.command("After a killed first migration")
        one_of(stage.rollout(command=command))
        check_schema(stage.target, 1)
