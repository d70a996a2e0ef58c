ActiveRecord::SchemaDumper.ignore_tables = [/\Aagtool_/]
