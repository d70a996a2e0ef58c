"""Which option of which connector becomes what: data, checked against the reference by a test.

The connectors of many languages read options from the same URL. An option that would change how
safely, where or for how long agtool connects is obeyed, translated or refused. What concerns the
application alone, such as its pool, is ignored.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

How = Literal[
    "unused",
    "ignored",
    "refused",
    "as",
    "values",
    "seconds",
    "milliseconds",
    "duration",
    "ssl",
    "go-tls",
    "tls-versions",
    "certificate",
    "socket",
    "pg8000-socket",
]
"""What becomes of an option.

unused: the engine's own; agtool sets it by itself. ignored: another connector's, and said so.
refused: not without a person. as: it is `target`, with the same value. values: `values` has what
each value becomes. Others: what the function of that name in `values` makes of it.
"""

Merge = Literal["set", "default", "raise"]
"""How it meets others: set contradicts another value, default gives way, raise only adds to TLS."""

Values = Mapping[str, Mapping[str, str]]


class Option(NamedTuple):
    """One row. names: separated by commas; without the exact one, - _ spaces and case do not count.

    engine: any for all but SQLite. driver: a URL's form or suffix for which alone the row counts.
    """

    engine: str
    names: str
    connectors: str
    how: How
    becomes: str
    target: str = ""
    values: Values = MappingProxyType({})
    merge: Merge = "set"
    driver: str = ""


CONNECTORS = {
    "libpq": "https://www.postgresql.org/docs/current/libpq-connect.html",
    "SQLAlchemy": "https://docs.sqlalchemy.org/en/20/dialects/",
    "psycopg": "https://www.psycopg.org/psycopg3/docs/api/connections.html",
    "asyncpg": "https://magicstack.github.io/asyncpg/current/api/index.html",
    "pg8000": "https://github.com/tlocke/pg8000",
    "PyMySQL": "https://pymysql.readthedocs.io/en/latest/modules/connections.html",
    "mysqlclient": "https://mysqlclient.readthedocs.io/user_guide.html",
    "mysql-connector-python": "https://dev.mysql.com/doc/connector-python/en/connector-python-connectargs.html",
    "Django": "https://github.com/jazzband/dj-database-url",
    "node-postgres": "https://github.com/brianc/node-postgres/tree/master/packages/pg-connection-string",
    "postgres.js": "https://github.com/porsager/postgres",
    "Prisma": "https://www.prisma.io/docs/orm/overview/databases",
    "Sequelize": "https://sequelize.org/docs/v7/databases/",
    "MariaDB Connector/Node.js": "https://mariadb.com/docs/connectors/mariadb-connector-nodejs/connector-nodejs-promise-api",
    "mysql2 (Node)": "https://github.com/sidorares/node-mysql2",
    "mysqljs": "https://github.com/mysqljs/mysql",
    "Rails": "https://guides.rubyonrails.org/configuring.html#configuring-a-database",
    "mysql2 (Ruby)": "https://github.com/brianmario/mysql2",
    "Trilogy": "https://github.com/trilogy-libraries/trilogy",
    "Sequel": "https://sequel.jeremyevans.net/rdoc/files/doc/opening_databases_rdoc.html",
    "lib/pq": "https://pkg.go.dev/github.com/lib/pq",
    "pgx": "https://pkg.go.dev/github.com/jackc/pgx/v5/pgxpool",
    "go-sql-driver": "https://github.com/go-sql-driver/mysql#parameters",
    "golang-migrate": "https://github.com/golang-migrate/migrate/tree/master/database",
    "Laravel": "https://laravel.com/docs/database",
    "Doctrine": "https://www.doctrine-project.org/projects/doctrine-dbal/en/current/reference/configuration.html",
    "pgjdbc": "https://jdbc.postgresql.org/documentation/use/",
    "Connector/J": "https://dev.mysql.com/doc/connector-j/en/connector-j-reference-configuration-properties.html",
    "MariaDB Connector/J": "https://mariadb.com/docs/connectors/mariadb-connector-j/about-mariadb-connector-j",
    "Npgsql": "https://www.npgsql.org/doc/connection-string-parameters.html",
    "MySqlConnector": "https://mysqlconnector.net/connection-options/",
}
"""Each connector's own documentation of its options, the source of its rows."""

_VERIFY = {"sslmode": "verify-full", "sslrootcert?": "system"}
_REQUIRE = {"sslmode": "require"}
_YES = ("true", "1", "yes", "on")
_NO = ("false", "0", "no", "off")


def _switch(yes: Mapping[str, str], no: Mapping[str, str]) -> Values:
    return {**dict.fromkeys(_YES, yes), **dict.fromkeys(_NO, no)}


def _modes(target: str, names: Mapping[str, str]) -> Values:
    """Values in any spelling: without - _ and spaces, in lower case."""
    return {spelling: {target: mode} for spelling, mode in names.items()}


SSLMODES = _modes(
    "sslmode",
    {
        **{mode: mode for mode in ("disable", "allow", "prefer", "require")},
        "verifyca": "verify-ca",
        "verifyfull": "verify-full",
        "noverify": "require",
    },
)

_SPELLINGS = {
    **dict.fromkeys(("disabled", "disable", "none", *_NO), "DISABLED"),
    **dict.fromkeys(("preferred", "prefer"), "PREFERRED"),
    **dict.fromkeys(("required", "require", "trust", "noverify"), "REQUIRED"),
    "verifyca": "VERIFY_CA",
    **dict.fromkeys(("verifyidentity", "verifyfull", *_YES), "VERIFY_IDENTITY"),
}

# Rails' Trilogy knows SSL_MODE_REQUIRED, too.
_MYSQL_MODES = _modes(
    "ssl_mode", {**_SPELLINGS, **{f"sslmode{name}": mode for name, mode in _SPELLINGS.items()}}
)

_TIMED = "agtool's own --connect-timeout bounds it"
_SILENCE = "agtool has time-outs of its own for a silent server"

_POSTGRESQL: tuple[Option, ...] = (
    Option(
        "postgresql",
        "sslmode, ssl-mode, SSL Mode",
        "libpq, node-postgres, Prisma, lib/pq, pgx, pgjdbc, Npgsql",
        "values",
        "libpq's sslmode, in any spelling; no-verify is require. require encrypts and verifies "
        "nothing unless there is an sslrootcert. verify-full without one: libpq's own file "
        "(~/.postgresql/root.crt), or the system's certificates, as Go and Node have it",
        values=SSLMODES,
    ),
    Option(
        "postgresql",
        "ssl",
        "pgjdbc",
        "values",
        "true: sslmode=verify-full, with the system's certificates if no others are named; "
        "sslmode wins",
        values=_switch(_VERIFY, {}),
        merge="default",
        driver="pgjdbc",
    ),
    Option(
        "postgresql",
        "ssl",
        "libpq, SQLAlchemy, asyncpg, node-postgres, postgres.js",
        "ssl",
        "true: sslmode=require, as libpq reads it, with a warning; false: disable; a mode of "
        "sslmode; "
        '{"rejectUnauthorized":true}: verify-full; sslmode wins over a plain word',
    ),
    Option(
        "postgresql",
        "sslaccept",
        "Prisma",
        "values",
        "strict: sslmode=verify-full; accept_invalid_certs: sslmode decides, and Prisma's sslcert "
        "is left out",
        values={"strict": _VERIFY, "acceptinvalidcerts": {"sslaccept": "any"}},
        merge="raise",
    ),
    Option(
        "postgresql",
        "sslcert, SSL Certificate",
        "libpq, node-postgres, lib/pq, pgx, pgjdbc, Npgsql, Prisma",
        "as",
        "sslcert, the client's certificate; the server's authority (sslrootcert) where an option "
        "of Prisma's stands beside it and no sslkey",
        target="sslcert",
    ),
    Option(
        "postgresql", "sslkey, SSL Key", "libpq, lib/pq, pgjdbc, Npgsql", "as", "sslkey", "sslkey"
    ),
    Option(
        "postgresql",
        "sslrootcert, Root Certificate",
        "libpq, node-postgres, lib/pq, pgx, pgjdbc, Npgsql",
        "as",
        "sslrootcert; system: the system's certificates, with verify-full",
        target="sslrootcert",
    ),
    Option(
        "postgresql",
        "sslpassword, SSL Password",
        "libpq, pgjdbc, Npgsql, Prisma",
        "as",
        "sslpassword",
        "sslpassword",
    ),
    Option(
        "postgresql",
        "Trust Server Certificate",
        "Npgsql",
        "values",
        "nothing: sslmode=require trusts any certificate",
        values=_switch({}, {}),
    ),
    Option(
        "postgresql",
        "sslfactory",
        "pgjdbc",
        "values",
        "NonValidatingFactory: sslmode=require; LibPQFactory and DefaultJavaSSLFactory: nothing; "
        "another one is refused",
        values={
            "org.postgresql.ssl.nonvalidatingfactory": _REQUIRE,
            "org.postgresql.ssl.libpqfactory": {},
            "org.postgresql.ssl.defaultjavasslfactory": {},
            "org.postgresql.ssl.jdbc4.libpqfactory": {},
        },
    ),
    Option(
        "postgresql",
        "sslidentity",
        "Prisma",
        "as",
        "the client's key and certificate in a PKCS#12 file, whose password is sslpassword; also "
        "an sslkey (pgjdbc) or sslcert (Npgsql) that ends with .p12 or .pfx",
        "sslidentity",
    ),
    Option(
        "postgresql",
        "sslinline, sslfactoryarg, sslhostnameverifier, sslpasswordcallback, direct_tls, "
        "ssl_context, Check Certificate Revocation",
        "lib/pq, pgjdbc, asyncpg, pg8000, Npgsql",
        "refused",
        "it concerns TLS, and libpq has nothing like it",
    ),
    Option(
        "postgresql",
        "socketFactory, socketFactoryArg, localSocketAddress, authenticationPluginClassName",
        "pgjdbc",
        "refused",
        "it is a way to the server that only Java has",
    ),
    Option(
        "postgresql",
        "PGHOST, PGPORT, PGDBNAME",
        "pgjdbc",
        "refused",
        "write host, port and database before the ? of the URL",
    ),
    Option(
        "postgresql",
        "servicefile, krbspn",
        "pgx",
        "refused",
        "it says where the server is, or who; name the file of services in PGSERVICEFILE",
    ),
    Option(
        "postgresql",
        "unix_sock",
        "pg8000",
        "pg8000-socket",
        "host and port of that socket",
    ),
    Option(
        "postgresql",
        "targetServerType, Target Session Attributes",
        "pgjdbc, Npgsql",
        "values",
        "primary, any and preferPrimary: target_session_attrs=read-write; others are refused: "
        "agtool needs the primary",
        values={
            server: {"target_session_attrs": "read-write"}
            for server in ("primary", "master", "any", "preferprimary", "readwrite")
        },
    ),
    Option(
        "postgresql",
        "loadBalanceHosts, Load Balance Hosts",
        "pgjdbc, Npgsql",
        "values",
        "load_balance_hosts",
        values=_switch({"load_balance_hosts": "random"}, {"load_balance_hosts": "disable"}),
    ),
    Option(
        "postgresql",
        "channelBinding, Channel Binding",
        "pgjdbc, Npgsql",
        "as",
        "channel_binding",
        "channel_binding",
    ),
    Option(
        "postgresql",
        "gssEncMode, GSS Encryption Mode",
        "pgjdbc, Npgsql",
        "as",
        "gssencmode",
        "gssencmode",
    ),
    Option(
        "postgresql",
        "sslNegotiation, SSL Negotiation",
        "pgjdbc, Npgsql",
        "as",
        "sslnegotiation",
        "sslnegotiation",
    ),
    Option(
        "postgresql",
        "requireAuth, Require Auth",
        "pgjdbc, Npgsql",
        "as",
        "require_auth",
        "require_auth",
    ),
    Option(
        "postgresql",
        "kerberosServerName, Kerberos Service Name",
        "pgjdbc, Npgsql",
        "as",
        "krbsrvname",
        "krbsrvname",
    ),
    Option("postgresql", "Passfile", "Npgsql", "as", "passfile", "passfile"),
    Option(
        "postgresql",
        "connect_timeout, connectTimeout, loginTimeout, timeout, Connect Timeout, "
        "Connection Timeout, connection_timeout",
        "libpq, pgjdbc, asyncpg, pg8000, Npgsql, Prisma, postgres.js",
        "seconds",
        "seconds of one try to connect, at most those of --connect-timeout; a `timeout` from 1000 "
        "on is in milliseconds, as Rails has it",
    ),
    Option(
        "postgresql",
        "connectionTimeoutMillis",
        "node-postgres",
        "milliseconds",
        "the same, in milliseconds",
    ),
    Option(
        "postgresql",
        "sslResponseTimeout, gssResponseTimeout, cancelSignalTimeout",
        "pgjdbc",
        "ignored",
        _TIMED,
    ),
    Option(
        "postgresql",
        "socketTimeout, socket_timeout, tcpKeepAlive, tcpNoDelay, keep_alive, keepAlive, "
        "keepAliveInitialDelayMillis, Tcp Keepalive, Tcp Keepalive Time, hostRecheckSeconds",
        "pgjdbc, Prisma, postgres.js, node-postgres, Npgsql",
        "ignored",
        _SILENCE,
    ),
    Option(
        "postgresql",
        "application_name, ApplicationName, Application Name",
        "libpq, pgjdbc, Npgsql",
        "unused",
        "agtool's sessions have a name of their own",
    ),
    Option(
        "postgresql",
        "uselibpqcompat",
        "node-postgres",
        "unused",
        "agtool reads sslmode as libpq does, with and without it",
    ),
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

_MYSQL: tuple[Option, ...] = (
    Option(
        "mysql",
        "ssl_mode, ssl-mode, sslMode, SSL Mode",
        "SQLAlchemy, mysqlclient, mysql2 (Ruby), Trilogy, Connector/J, MariaDB Connector/J, "
        "MySqlConnector",
        "values",
        "DISABLED, PREFERRED, REQUIRED, VERIFY_CA or VERIFY_IDENTITY, in any spelling; without "
        "ssl_ca it is verified with the system's certificates",
        values=_MYSQL_MODES,
    ),
    Option(
        "mysql",
        "ssl",
        "PyMySQL, SQLAlchemy, mysql2 (Node), mysqljs, Rails, mysql2 (Ruby)",
        "ssl",
        'true: at least REQUIRED; {"rejectUnauthorized":true}, or without it: VERIFY_IDENTITY '
        '("verifyIdentity":false: VERIFY_CA); {"rejectUnauthorized":false}: REQUIRED; "ca" as PEM; '
        "profiles such as Amazon RDS are refused",
    ),
    Option(
        "mysql",
        "ssl_disabled",
        "PyMySQL, mysql-connector-python",
        "values",
        "true: DISABLED",
        values=_switch({"ssl_mode": "DISABLED"}, {}),
    ),
    Option(
        "mysql",
        "useSSL, useSsl",
        "MariaDB Connector/J",
        "values",
        "true: VERIFY_IDENTITY, false: DISABLED; sslMode wins",
        values=_switch(
            {"ssl": "true", "ssl_verify_cert": "true", "ssl_verify_identity": "true"},
            {"ssl_mode": "DISABLED"},
        ),
        merge="default",
        driver="mariadb-connector-j",
    ),
    Option(
        "mysql",
        "useSSL, useSsl",
        "Connector/J",
        "values",
        "true: REQUIRED, false: DISABLED; sslMode wins",
        values=_switch({"ssl": "true"}, {"ssl_mode": "DISABLED"}),
        merge="default",
    ),
    Option(
        "mysql",
        "requireSSL",
        "Connector/J",
        "values",
        "true: at least REQUIRED",
        values=_switch({"ssl": "true"}, {}),
        merge="raise",
    ),
    Option(
        "mysql",
        "verifyServerCertificate",
        "Connector/J",
        "values",
        "true: at least VERIFY_CA",
        values=_switch({"ssl_mode": "VERIFY_CA"}, {}),
        merge="raise",
    ),
    Option(
        "mysql",
        "trustServerCertificate, Trust Server Certificate",
        "MariaDB Connector/J",
        "values",
        "true: REQUIRED, with any certificate",
        values=_switch(
            {"ssl?": "true", "ssl_verify_cert": "false", "ssl_verify_identity": "false"}, {}
        ),
    ),
    Option(
        "mysql",
        "disableSslHostnameVerification",
        "MariaDB Connector/J",
        "values",
        "true: the name in the certificate is not verified",
        values=_switch({"ssl_verify_identity": "false"}, {}),
    ),
    Option(
        "mysql",
        "sslverify",
        "mysql2 (Ruby)",
        "values",
        "true: VERIFY_IDENTITY",
        values=_switch({"ssl_mode": "VERIFY_IDENTITY"}, {}),
        merge="raise",
    ),
    Option(
        "mysql",
        "sslaccept",
        "Prisma",
        "values",
        "strict: VERIFY_IDENTITY; accept_invalid_certs: REQUIRED, with any certificate",
        values={
            "strict": {"ssl_mode": "VERIFY_IDENTITY"},
            "acceptinvalidcerts": {"ssl": "true", "ssl_verify_cert": "false"},
        },
        merge="raise",
    ),
    Option(
        "mysql",
        "sslcert",
        "Prisma, mysql2 (Ruby), MySqlConnector",
        "certificate",
        "beside sslkey the client's certificate; else, as with Prisma, the server's authority "
        "(ssl_ca), verified with its name",
    ),
    Option(
        "mysql",
        "tls",
        "go-sql-driver, golang-migrate",
        "go-tls",
        "true: VERIFY_IDENTITY; skip-verify: REQUIRED; preferred: PREFERRED; false: DISABLED; a "
        "name: VERIFY_IDENTITY with x-tls-ca, else refused",
    ),
    Option("mysql", "x-tls-ca", "golang-migrate", "as", "ssl_ca", "ssl_ca"),
    Option("mysql", "x-tls-cert", "golang-migrate", "as", "ssl_cert", "ssl_cert"),
    Option("mysql", "x-tls-key", "golang-migrate", "as", "ssl_key", "ssl_key"),
    Option(
        "mysql",
        "x-tls-insecure-skip-verify",
        "golang-migrate",
        "values",
        "true: any certificate",
        values=_switch({"ssl_verify_cert": "false"}, {}),
    ),
    Option(
        "mysql",
        "ssl_ca, ssl-ca, sslca, sslrootcert, serverSslCert, CACertificateFile, CA Certificate File",
        "PyMySQL, mysqlclient, mysql-connector-python, Django, mysql2 (Ruby), Trilogy, "
        "MariaDB Connector/J, MySqlConnector",
        "as",
        "a file with certificates that are trusted; with it alone, name and certificate are "
        "verified",
        "ssl_ca",
    ),
    Option(
        "mysql",
        "ssl_capath, sslcapath",
        "SQLAlchemy, mysql2 (Ruby), Trilogy",
        "as",
        "a folder of them",
        "ssl_capath",
    ),
    Option(
        "mysql",
        "ssl_cert, ssl-cert",
        "PyMySQL, mysqlclient, Trilogy, MySqlConnector",
        "as",
        "the client's certificate",
        "ssl_cert",
    ),
    Option(
        "mysql",
        "ssl_key, ssl-key, sslkey",
        "PyMySQL, mysqlclient, mysql2 (Ruby), Trilogy, MySqlConnector",
        "as",
        "its key",
        "ssl_key",
    ),
    Option(
        "mysql",
        "ssl_key_password, sslpassword, CertificatePassword, Certificate Password",
        "PyMySQL, Prisma, MySqlConnector",
        "as",
        "its password",
        "ssl_key_password",
    ),
    Option(
        "mysql",
        "ssl_cipher, ssl-cipher, sslcipher",
        "SQLAlchemy, mysql2 (Ruby), Trilogy",
        "as",
        "OpenSSL's ciphers",
        "ssl_cipher",
    ),
    Option(
        "mysql",
        "tls_versions, tlsVersions, enabledTLSProtocols, enabledSslProtocolSuites, tls-version, "
        "TlsVersion, tls_min_version, tls_max_version",
        "mysql-connector-python, Connector/J, MariaDB Connector/J, MySqlConnector, Trilogy",
        "tls-versions",
        "the least and the greatest version",
    ),
    Option(
        "mysql",
        "ssl_verify_cert, ssl-verify-cert",
        "PyMySQL, SQLAlchemy, mysql-connector-python",
        "values",
        "whether the certificate is verified",
        values=_switch({"ssl_verify_cert": "true"}, {"ssl_verify_cert": "false"}),
    ),
    Option(
        "mysql",
        "ssl_verify_identity, ssl_check_hostname",
        "PyMySQL, SQLAlchemy, mysql-connector-python",
        "values",
        "whether the name in it is verified",
        values=_switch({"ssl_verify_identity": "true"}, {"ssl_verify_identity": "false"}),
    ),
    Option(
        "mysql",
        "sslidentity, CertificateFile, Certificate File",
        "Prisma, MySqlConnector",
        "as",
        "the client's key and certificate in a PKCS#12 file",
        "ssl_identity",
    ),
    Option(
        "mysql",
        "trustStore, trustStorePassword, trustStoreType, keyStore, keyStorePassword, keyStoreType, "
        "keyPassword, trustCertificateKeyStoreUrl, trustCertificateKeyStorePassword, "
        "trustCertificateKeyStoreType, clientCertificateKeyStoreUrl, "
        "clientCertificateKeyStorePassword, clientCertificateKeyStoreType, "
        "fallbackToSystemTrustStore, trustStoreUrl, Certificate Store Location, "
        "Certificate Thumbprint",
        "Connector/J, MariaDB Connector/J, MySqlConnector",
        "refused",
        "Python cannot read that store: write ssl_ca=FILE, ssl_cert=FILE and ssl_key=FILE in PEM",
    ),
    Option(
        "mysql",
        "tlsCiphersuites, enabledSSLCipherSuites, tls_ciphersuites, TlsCipherSuites, "
        "tlsSocketType, sslFactory, ssl_crl, ssl-crl, ssl_crlpath, ssl-crlpath, sslProfile",
        "Connector/J, MariaDB Connector/J, mysql-connector-python, MySqlConnector, Trilogy",
        "refused",
        "it concerns TLS, and agtool has nothing like it; for ciphers write OpenSSL's ssl_cipher",
    ),
    Option(
        "mysql",
        "server_public_key, serverPubKey, serverRSAPublicKeyFile, serverRsaPublicKeyFile, "
        "server-public-key-path, rsaPublicKey, cachingRsaPublicKey",
        "PyMySQL, go-sql-driver, Connector/J, MariaDB Connector/J, MySqlConnector, "
        "MariaDB Connector/Node.js",
        "refused",
        "agtool protects the password by TLS: write ssl_mode",
    ),
    Option(
        "mysql",
        "allowPublicKeyRetrieval, get-server-public-key, get_server_public_key, "
        "allowFallbackToPlaintext, fallbackToSystemKeyStore",
        "Connector/J, MariaDB Connector/J, MySqlConnector, mysql2 (Ruby), go-sql-driver",
        "ignored",
        "agtool does not fall back to less than what ssl_mode and tls demand",
    ),
    Option(
        "mysql",
        "unix_socket, unixSocket, socket, sock, socketPath, localSocket",
        "PyMySQL, mysqlclient, mysql-connector-python, Laravel, Doctrine, Rails, mysql2 (Ruby), "
        "Trilogy, Prisma, mysql2 (Node), mysqljs, MariaDB Connector/Node.js, "
        "MariaDB Connector/J",
        "socket",
        "the path of a Unix socket",
    ),
    Option(
        "mysql",
        "bind_address, localSocketAddress, localAddress",
        "PyMySQL, Connector/J, mysql2 (Node), mysqljs",
        "as",
        "the address of ours to connect from",
        "bind_address",
    ),
    Option(
        "mysql",
        "read_default_file, read_default_group, default_file, default_group, defaults_file, "
        "option_files, option_groups, useConfigs, propertiesTransform, credentialType, "
        "ociConfigFile, ldapServerHostname",
        "PyMySQL, mysqlclient, mysql2 (Ruby), mysql-connector-python, Connector/J, "
        "MariaDB Connector/J",
        "refused",
        "it may name another server or account: write them into the URL",
    ),
    Option(
        "mysql",
        "named_pipe, pipe, Pipe Name, namedPipePath, protocol, Connection Protocol, socketFactory, "
        "socksProxyHost, socksProxyPort, socksProxyRemoteDns, dnsSrv, proxy, stream, "
        "Load Balance, Server Redirection Mode, failover, type, address, priority, path",
        "PyMySQL, Connector/J, MariaDB Connector/J, MySqlConnector, mysql2 (Node)",
        "refused",
        "it is a way to the server that agtool has not got",
    ),
    Option(
        "mysql",
        "connect_timeout, connection_timeout, Connect Timeout, Connection Timeout",
        "PyMySQL, mysqlclient, mysql-connector-python, Rails, mysql2 (Ruby), Trilogy, Prisma, "
        "MySqlConnector",
        "seconds",
        "seconds of one try to connect, at most those of --connect-timeout",
    ),
    Option(
        "mysql",
        "connectTimeout",
        "mysql2 (Node), mysqljs, MariaDB Connector/Node.js, Connector/J, MariaDB Connector/J",
        "milliseconds",
        "the same, in milliseconds",
    ),
    Option("mysql", "timeout", "go-sql-driver", "duration", "the same, such as 30s"),
    Option(
        "mysql",
        "read_timeout, write_timeout, readTimeout, writeTimeout, socketTimeout, socket_timeout, "
        "tcpKeepAlive, tcpNoDelay, enableKeepAlive, keepAliveInitialDelay, initialTimeout, "
        "tcpRcvBuf, tcpSndBuf, tcpTrafficClass, tcpAbortiveClose, Keep Alive, "
        "useHostsInPrivileges, keepAliveDelay, keepalive_enabled, keepalive_idle, "
        "keepalive_interval, keepalive_count, wait_timeout",
        "PyMySQL, mysql2 (Ruby), Trilogy, Rails, go-sql-driver, Connector/J, MariaDB Connector/J, "
        "Prisma, mysql2 (Node), MariaDB Connector/Node.js, MySqlConnector",
        "ignored",
        _SILENCE,
    ),
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

_ANY: tuple[Option, ...] = (
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

TABLE: tuple[Option, ...] = (*_POSTGRESQL, *_MYSQL, *_ANY)
