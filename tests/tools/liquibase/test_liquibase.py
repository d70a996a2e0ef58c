"""Liquibase's own command line."""

from tests.e2e.conftest import wait_until
from tests.tools.scenario import Scenario, check_schema, one_of, wait_at_the_gate
from tests.tools.stage import Replica, Stage
from tests.tools.target import Target
from tests.tools.urls import jdbc_url

PLAIN = ["agtool", "migrate-once", "--", "liquibase", "update"]


class TestLiquibase(Scenario):
    tool = "liquibase"

    def secret(self, target: Target) -> str:
        return jdbc_url(target)

    def prepare(self, stage: Stage) -> None:
        if stage.target.engine == "mysql":
            stage.heading = "MySQL and MariaDB"

    def test_a_killed_run_leaves_a_note_that_stops_liquibase(self, stage: Stage) -> None:
        """What the page says of the plain command, and of the line that frees it by hand.

        Without the name by which agtool knows the sessions, on PostgreSQL too: it notes them at its
        heartbeat.
        """
        stage.build(2)
        one_of(stage.rollout(1))
        stage.build(3)
        with stage.target.closed():
            killed = self._plain(stage)
            wait_at_the_gate(stage.target, killed)
            wait_until(stage.target.noted_sessions, "agtool has noted the session")
            killed.kill()
            stuck = self._plain(stage).end()
        assert stuck.exit_code not in (0, 124, 125)
        assert "Could not acquire change log lock" in stuck.stdout + stuck.stderr
        freed = stage.shell(stage.page.block("After a killed run", "sh"))
        assert freed.exit_code == 0, freed.stderr
        one_of([self._plain(stage)])
        check_schema(stage.target, 3)

    def test_generated_changelogs_leave_agtools_table_alone(self, stage: Stage) -> None:
        stage.build(1)
        one_of(stage.rollout(1))
        assert stage.target.agtools_tables(), "nothing to leave alone"
        done = stage.shell(stage.page.block("Dumps and diffs", "sh"))
        assert done.exit_code == 0, done.stderr
        made = (stage.project / "made.yaml").read_text()
        assert "customers" in made
        assert "agtool" not in made

    def _plain(self, stage: Stage) -> Replica:
        # Liquibase itself waits for five minutes.
        shorter = {"LIQUIBASE_CHANGELOGLOCK_WAIT_TIME_IN_MINUTES": "0"}
        env = {"LIQUIBASE_COMMAND_URL": stage.secret, **shorter}
        return stage.start(command=PLAIN, env=env)
