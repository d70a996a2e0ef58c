"""Options that concern the application alone, such as its pool: ignored, and said so once."""

from __future__ import annotations

from agtool.migrate_once.url.table.row import Option

POSTGRESQL: tuple[Option, ...] = (
    Option(
        "postgresql",
        "statement_timeout, query_timeout, lock_timeout, idle_in_transaction_session_timeout, "
        "min, max, idleTimeoutMillis, allowExitOnIdle, maxUses, maxLifetimeSeconds, binary, "
        "parseInputDatesAsUTC",
        "node-postgres, Sequelize",
        "ignored",
        "",
    ),
    Option(
        "postgresql",
        "max, idle_timeout, max_lifetime, max_pipeline, backoff, prepare, debug, fetch_types, "
        "publications",
        "postgres.js",
        "ignored",
        "",
    ),
    Option(
        "postgresql",
        "search_path, binary_parameters, disable_prepared_binary_result, timezone, datestyle, "
        "extra_float_digits, intervalstyle, tz, geqo",
        "lib/pq",
        "ignored",
        "agtool names its tables with their schema",
    ),
    Option(
        "postgresql",
        "pool_max_conns, pool_min_conns, pool_min_idle_conns, pool_max_conn_lifetime, "
        "pool_max_conn_lifetime_jitter, pool_max_conn_idle_time, pool_health_check_period, "
        "pool_ping_timeout, min_protocol_version, max_protocol_version, "
        "default_query_exec_mode, statement_cache_capacity, statement_cache_mode, "
        "description_cache_capacity, min_read_buffer_size, search_path, "
        "timezone",
        "pgx",
        "ignored",
        "",
    ),
    Option(
        "postgresql",
        "adaptiveFetch, adaptiveFetchMaximum, adaptiveFetchMinimum, allowEncodingChanges, "
        "assumeMinServerVersion, autosave, binaryTransfer, binaryTransferDisable, "
        "binaryTransferEnable, cleanupSavepoints, currentSchema, databaseMetadataCacheFields, "
        "databaseMetadataCacheFieldsMiB, defaultRowFetchSize, disableColumnSanitiser, "
        "escapeSyntaxCallMode, groupStartupParameters, hideUnprivilegedObjects, "
        "jaasApplicationName, jaasLogin, loggerFile, loggerLevel, logServerErrorDetail, "
        "logUnclosedConnections, maxResultBuffer, preferQueryMode, preparedStatementCacheQueries, "
        "preparedStatementCacheSizeMiB, prepareThreshold, protocolVersion, queryTimeout, "
        "quoteReturningIdentifiers, readOnly, readOnlyMode, receiveBufferSize, "
        "reWriteBatchedInserts, sendBufferSize, sspiServiceClass, stringtype, unknownLength, "
        "useSpnego, xmlFactoryFactory",
        "pgjdbc",
        "ignored",
        "",
    ),
    Option(
        "postgresql",
        "command_timeout, max_cached_statement_lifetime, max_cacheable_statement_size, "
        "prepared_statement_cache_size, prepared_statement_name_func, server_settings, "
        "async_fallback, record_class, prepare_threshold, row_factory, cursor_factory",
        "asyncpg, psycopg, SQLAlchemy",
        "ignored",
        "",
    ),
    Option(
        "postgresql",
        "Search Path, Timezone, Encoding, Command Timeout, Include Error Detail, Multiplexing, "
        "Keepalive, Max Auto Prepare, Auto Prepare Min Usages, No Reset On Close, "
        "Internal Command Timeout, Cancellation Timeout, Options, Include Failed Batched Command, "
        "Log Parameters, Write Buffer Size, Read Buffer Size, Array Nullability Mode, "
        "Connection Pruning Interval, Tcp Keepalive Interval, Use Perf Counters, "
        "Socket Receive Buffer Size, Socket Send Buffer Size, Client Encoding, "
        "EF Template Database, EF Admin Database, Load Table Composites, "
        "Server Compatibility Mode, Integrated Security, Include Realm",
        "Npgsql",
        "ignored",
        "",
    ),
    Option(
        "postgresql",
        "schema_search_path, min_messages, insert_returning, template, schema_order, "
        "intervalstyle, standard_conforming_strings",
        "Rails",
        "ignored",
        "",
    ),
    Option("postgresql", "default_dbname", "Doctrine", "ignored", ""),
)

MYSQL: tuple[Option, ...] = (
    Option(
        "mysql",
        "charset, collation, use_unicode, sql_mode, init_command, autocommit, local_infile, "
        "max_allowed_packet, client_flag, conv, cursorclass, auth_plugin_map, binary_prefix, "
        "program_name, compress, defer_connect",
        "PyMySQL, mysqlclient, SQLAlchemy",
        "unused",
        "agtool's sessions have settings of their own",
    ),
    Option(
        "mysql",
        "allowAllFiles, allowCleartextPasswords, allowNativePasswords, allowOldPasswords, "
        "checkConnLiveness, clientFoundRows, columnsWithAlias, connectionAttributes, "
        "interpolateParams, loc, maxAllowedPacket, multiStatements, parseTime, rejectReadOnly, "
        "strict, timeTruncate, tinyInt1IsBool",
        "go-sql-driver",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "acquireTimeout, authPlugins, bigNumberStrings, charsetNumber, connectAttributes, "
        "connectionLimit, dateStrings, debug, decimalNumbers, flags, idleTimeout, insecureAuth, "
        "jsonStrings, localInfile, maxIdle, maxPreparedStatements, multipleStatements, "
        "namedPlaceholders, nestTables, queryFormat, queueLimit, rowsAsArray, stringifyObjects, "
        "supportBigNumbers, timezone, trace, typeCast, waitForConnections",
        "mysql2 (Node), mysqljs",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "database_timezone, application_timezone, secure_auth, reconnect, automatic_close, cast, "
        "cast_booleans, symbolize_keys, cache_rows, connect_flags, flags, encoding, "
        "enable_cleartext_plugin",
        "mysql2 (Ruby)",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "found_rows, multi_statement, multi_result, encoding, enable_cleartext_plugin",
        "Trilogy",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "initSql, debugCompress, debugLen, logParam, logPackets, logger, forceVersionCheck, "
        "foundRows, metaEnumerable, bulk, pipelining, permitLocalInfile, checkDuplicate, "
        "prepareCacheLength, queryTimeout, sessionVariables, connectAttributes, collation, "
        "charset, compress, timezone, trace, multipleStatements, acquireTimeout, "
        "connectionLimit, idleTimeout, minimumIdle, minDelayValidation, leakDetectionTimeout, "
        "noControlAfterUse, resetAfterUse, initializationTimeout, pingTimeout",
        "MariaDB Connector/Node.js, Sequelize",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "disableEval, gracefulEnd",
        "Sequelize",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "pool_name, pool_size, pool_reset_session, raise_on_warnings, get_warnings, buffered, raw, "
        "use_pure, consume_results, auth_plugin, allow_local_infile, time_zone, conn_attrs, "
        "converter_class, force_ipv6, client_flags, prepared_statements",
        "mysql-connector-python, mysqlclient",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "allowLoadLocalInfile, allowLoadLocalInfileInPath, allowMultiQueries, allowNanAndInf, "
        "allowUrlInLocalInfile, alwaysSendSetIsolation, authenticationPlugins, "
        "autoClosePStmtStreams, autoDeserialize, autoReconnect, autoReconnectForPools, "
        "cacheCallableStmts, cachePrepStmts, cacheResultSetMetadata, cacheServerConfiguration, "
        "callableStmtCacheSize, characterEncoding, characterSetResults, clientInfoProvider, "
        "connectionCollation, connectionTimeZone, continueBatchOnError, createDatabaseIfNotExist, "
        "databaseTerm, defaultAuthenticationPlugin, defaultFetchSize, "
        "disabledAuthenticationPlugins, dontTrackOpenResources, elideSetAutoCommits, "
        "emptyStringsConvertToZero, enableQueryTimeouts, exceptionInterceptors, failOverReadOnly, "
        "forceConnectionTimeZoneToSession, holdResultsOpenOverStatementClose, interactiveClient, "
        "jdbcCompliantTruncation, logSlowQueries, logger, maintainTimeStats, maxReconnects, "
        "maxRows, metadataCacheSize, noAccessToProcedureBodies, noDatetimeStringSync, "
        "nullCatalogMeansCurrent, nullDatabaseMeansCurrent, padCharsWithSpace, paranoid, "
        "passwordCharacterEncoding, pedantic, prepStmtCacheSize, prepStmtCacheSqlLimit, "
        "preserveInstants, profileSQL, queryInterceptors, queryTimeoutKillsConnection, "
        "readOnlyPropagatesToServer, rewriteBatchedStatements, rollbackOnPooledClose, "
        "secondsBeforeRetryMaster, sendFractionalSeconds, serverTimezone, sessionVariables, "
        "tinyInt1isBit, traceProtocol, trackSessionState, transformedBitIsBoolean, "
        "useAffectedRows, useColumnNamesInFindColumn, useCompression, useCursorFetch, "
        "useInformationSchema, useJDBCCompliantTimezoneShift, useLegacyDatetimeCode, "
        "useLocalSessionState, useLocalTransactionState, useOldAliasMetadataBehavior, "
        "useServerPrepStmts, useTimezone, useUnicode, yearIsDateType, zeroDateTimeBehavior",
        "Connector/J",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "allowLocalInfile, assureReadOnly, cacheCodecs, connectionCollation, disablePipeline, "
        "dumpQueriesOnException, galeraAllowedState, includeInnodbStatusInDeadlockExceptions, "
        "includeThreadDumpInDeadlockExceptions, maxIdleTime, maxPoolSize, maxQuerySizeToLog, "
        "minPoolSize, permitMysqlScheme, disableMariaDbDriver, poolName, poolValidMinDelay, "
        "preserveInstants, registerJmxPool, restrictedAuth, returnMultiValuesGeneratedIds, "
        "transactionReplay, useBulkStmts, useBulkStmtsForInserts, useMysqlMetadata, "
        "useReadAheadInput, useResetConnection, usePipelineAuth",
        "MariaDB Connector/J",
        "ignored",
        "",
    ),
    Option(
        "mysql",
        "Allow User Variables, Allow Zero DateTime, Auto Enlist, Character Set, Connection Reset, "
        "Convert Zero DateTime, Default Command Timeout, Command Timeout, GUID Format, "
        "Ignore Command Transaction, Ignore Prepare, Interactive Session, No Backslash Escapes, "
        "Old Guids, Pipelining, Server SPN, Treat Tiny As Boolean, Use Xa Transactions, "
        "Use Affected Rows, Cancellation Timeout, DateTime Kind, Connection Idle Ping Time, "
        "DnsCheckInterval, Defer Connection Reset",
        "MySqlConnector",
        "ignored",
        "",
    ),
)

ANY: tuple[Option, ...] = (
    Option(
        "any",
        "schema, pgbouncer, connection_limit, pool_timeout, statement_cache_size, "
        "max_connection_lifetime, max_idle_connection_lifetime, single_use_connections",
        "Prisma",
        "ignored",
        "",
    ),
    Option(
        "any",
        "pool, timeout, reaping_frequency, checkout_timeout, idle_timeout, max_connections, "
        "min_connections, max_age, keepalive, encoding, collation, strict, reconnect, variables, "
        "prepared_statements, statement_limit, advisory_locks, retry_deadline, verify_timeout, "
        "connection_retries, adapter, database_tasks, replica, migrations_paths, query_cache, "
        "schema_dump, schema_format, schema_cache_path, use_metadata_table, seeds, pool_jitter, "
        "min_threads, max_threads, max_queue, default_timezone",
        "Rails",
        "ignored",
        "",
    ),
    Option(
        "any",
        "max_connections, pool_timeout, preconnect, search_path, encoding, sql_log_level, "
        "logger, test, single_threaded, pool_class, default_schema, convert_infinite_timestamps, "
        "extensions, preconnect_extensions, cache_schema, keep_reference, log_connection_info, "
        "log_warn_duration, quote_identifiers, servers, connect_sqls, default_string_column_size",
        "Sequel",
        "ignored",
        "",
    ),
    Option(
        "any",
        "CONN_MAX_AGE, CONN_HEALTH_CHECKS, ATOMIC_REQUESTS, AUTOCOMMIT, "
        "DISABLE_SERVER_SIDE_CURSORS, TIME_ZONE, currentSchema, isolation_level, assume_role, "
        "server_side_binding, init_command, sql_mode, charset",
        "Django",
        "ignored",
        "",
    ),
    Option(
        "any",
        "serverVersion, server_version, charset, persistent, driver, driverClass, wrapperClass, "
        "driverOptions, dbname_suffix, defaultTableOptions, platform, keepReplica, "
        "use_savepoints, logging, profiling",
        "Doctrine",
        "ignored",
        "",
    ),
    Option(
        "any",
        "charset, collation, prefix, prefix_indexes, strict, engine, modes, schema, search_path, "
        "timezone, isolation_level, sticky",
        "Laravel",
        "ignored",
        "",
    ),
    Option(
        "any",
        "x-migrations-table, x-migrations-table-quoted, x-statement-timeout, x-multi-statement, "
        "x-multi-statement-max-size, x-no-lock, x-try-lock-timeout, x-lock-strategy, "
        "x-lock-table, x-force-lock, x-advisory-lock-type, multiStatements",
        "golang-migrate",
        "ignored",
        "",
    ),
    Option(
        "any",
        "Pooling, Minimum Pool Size, Min Pool Size, Maximum Pool Size, Max Pool Size, "
        "Connection Lifetime, Connection Life Time, Connection Idle Lifetime, "
        "Connection Idle Timeout, Persist Security Info, Enlist",
        "Npgsql, MySqlConnector",
        "ignored",
        "",
    ),
)
