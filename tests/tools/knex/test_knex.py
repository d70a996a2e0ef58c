"""Knex, whose notes of a killed run the page's command takes away."""

from tests.tools.scenario import Scenario, Tool, check_schema, one_of, wait_at_the_gate
from tests.tools.stage import Stage
from tests.tools.target import Target
from tests.tools.urls import node_url

PLAIN = ["agtool", "migrate-once", "--", "node_modules/.bin/knex", "migrate:latest"]


class Knex(Tool):
    tool = "knex"

    def secret(self, target: Target) -> str:
        return node_url(target)


class TestKnex(Knex, Scenario):
    reset_leaves_tables = True

    def test_a_killed_run_leaves_a_note_that_stops_knex(self, stage: Stage) -> None:
        """What the page says of the plain command, and of the line that frees it by hand."""
        stage.build(3)
        with stage.target.closed():
            winner = stage.start(command=PLAIN)
            wait_at_the_gate(stage.target, winner)
            winner.kill()
            stuck = stage.start(command=PLAIN).end()
        assert stuck.exit_code not in (0, 124, 125)
        assert "MigrationLocked" in stuck.stdout + stuck.stderr
        freed = stage.shell(stage.page.block("After a killed run", "sh"))
        assert freed.exit_code == 0, freed.stderr
        one_of(stage.rollout(command=PLAIN))
        check_schema(stage.target, 3)


class TestKnexOnPostgreSQL(Knex):
    engines = ("postgresql",)

    def test_a_killed_run_in_a_transaction_leaves_nothing(self, stage: Stage) -> None:
        """As the page says: the plain command goes on."""
        stage.build(2)
        one_of(stage.rollout(1))
        stage.build(3)
        (late,) = (stage.project / "migrations").glob("*_late.js")
        late.write_text(late.read_text().replace("transaction: false", "transaction: true"))
        with stage.target.closed() as open_gate:
            winner = stage.start(command=PLAIN)
            wait_at_the_gate(stage.target, winner)
            killed = stage.target.at_the_gate()
            winner.kill()
            heir = stage.start(command=PLAIN)
            wait_at_the_gate(stage.target, heir, other_than=killed)
            open_gate()
            one_of([heir])
        check_schema(stage.target, 3)
