"""Flyway's library, under the commands and the variables of its command line."""

from tests.e2e.conftest import wait_until
from tests.tools.scenario import Scenario, Tool, check_schema, one_of, wait_at_the_gate
from tests.tools.stage import Stage
from tests.tools.target import Target
from tests.tools.urls import jdbc_url

# What agtool's page has besides: the name by which agtool knows the sessions.
WITHOUT_NAME = ["sh", "-c", "FLYWAY_URL=$DATABASE_URL exec agtool migrate-once -- flyway migrate"]


class Flyway(Tool):
    tool = "flyway"

    def secret(self, target: Target) -> str:
        return jdbc_url(target)

    def prepare(self, stage: Stage) -> None:
        if stage.target.engine == "mysql":
            stage.heading = "MySQL and MariaDB"


class TestFlyway(Flyway, Scenario):
    """What all tools share."""


class TestFlywayOnPostgreSQL(Flyway):
    engines = ("postgresql",)

    def test_killed_without_a_name(self, stage: Stage) -> None:
        """Sessions that do not say whose they are do not work beside the next run.

        agtool notes them at its heartbeat.
        """
        stage.build(2)
        one_of(stage.rollout(1))
        stage.build(3)
        with stage.target.closed() as open_gate:
            winner = stage.start(command=WITHOUT_NAME)
            wait_at_the_gate(stage.target, winner)
            killed = stage.target.at_the_gate()
            wait_until(stage.target.noted_sessions, "agtool has noted the session")
            winner.kill()
            heir = stage.start(command=WITHOUT_NAME)
            wait_at_the_gate(stage.target, heir, other_than=killed)
            assert not stage.target.at_the_gate() & killed
            open_gate()
            one_of([heir])
        check_schema(stage.target, 3)


class TestFlywayOnMySQL(Flyway):
    engines = ("mysql",)

    def test_baseline(self, stage: Stage) -> None:
        """A database that others use already: with both of the page's variables V1 is run."""
        stage.build(1)
        stage.target.execute("CREATE TABLE others (one int)")
        refused = stage.start().end()
        assert "non-empty schema" in refused.stdout + refused.stderr
        settings, _, command = stage.page.block("MySQL and MariaDB", "sh").rpartition(" flyway ")
        env = dict(setting.split("=") for setting in settings.split())
        assert command.strip() == "migrate"
        one_of(stage.rollout(env=env))
        check_schema(stage.target, 1)
