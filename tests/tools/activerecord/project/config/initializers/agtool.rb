ActiveRecord::SchemaDumper.ignore_tables = ["agtool_install_locks_runs"]
