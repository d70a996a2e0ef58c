"""ActiveRecord, in a Rails application that has nothing else."""

from tests.servers.postgresql import PostgreSQL
from tests.tools.scenario import Scenario, check_schema, one_of
from tests.tools.stage import Stage
from tests.tools.target import Target


class TestActiveRecord(Scenario):
    tool = "activerecord"

    def secret(self, target: Target) -> str:
        return target.url.replace("mysql+pymysql://", "mysql2://") + "?pool=5"

    def prepare(self, stage: Stage) -> None:
        # What `db:create` needs on PostgreSQL; on MySQL the account has it.
        if isinstance(stage.target.server, PostgreSQL):
            stage.target.execute(f"ALTER ROLE {stage.target.role} CREATEDB")

    def test_schema_dump_leaves_agtools_tables_alone(self, stage: Stage) -> None:
        stage.build(2)
        lines, _ = stage.page.blocks("Dumps and diffs", "ruby")
        assert lines == (stage.project / "config/initializers/agtool.rb").read_text()
        one_of(stage.rollout(1))
        assert stage.target.agtools_tables(), "nothing to leave alone"
        done = stage.shell("bin/rails db:schema:dump")
        assert done.exit_code == 0, done.stderr
        schema = (stage.project / "db" / "schema.rb").read_text()
        assert 'create_table "customers"' in schema
        assert "agtool" not in schema

    def test_structure_dump_leaves_agtools_tables_alone(self, stage: Stage) -> None:
        """What pg_dump and mysqldump make for Rails."""
        stage.build(2)
        one_of(stage.rollout(1))
        assert stage.target.agtools_tables(), "nothing to leave alone"
        if stage.target.engine == "postgresql":
            _, line = stage.page.blocks("Dumps and diffs", "ruby")
            (stage.project / "config/initializers/structure.rb").write_text(line)
        done = stage.shell("bin/rails db:structure:dump")
        assert done.exit_code == 0, done.stderr
        structure = (stage.project / "db" / "structure.sql").read_text()
        assert "customers" in structure
        assert "agtool" not in structure

    def test_schema_is_loaded_at_a_first_install(self, stage: Stage) -> None:
        """`force: :cascade` drops what is there before."""
        stage.build(2)
        one_of(stage.rollout(1))
        assert stage.shell("bin/rails db:schema:dump").exit_code == 0
        stage.target.drop_tables()
        command = ["agtool", "migrate-once", "--", "bin/rails", "db:schema:load"]
        one_of(stage.rollout(command=command))
        check_schema(stage.target, 2)
        # A whole schema.rb, with agtool's table in it, as one without the page's line has it.
        (stage.project / "config/initializers/agtool.rb").unlink()
        assert stage.shell("bin/rails db:schema:dump").exit_code == 0
        stage.env["DISABLE_DATABASE_ENVIRONMENT_CHECK"] = "1"
        one_of(stage.rollout(command=command, key="with all tables"))
        check_schema(stage.target, 2)
        (moved,) = stage.rollout(1, command=command, key="with all tables")
        assert moved.outcome == "already-done"
