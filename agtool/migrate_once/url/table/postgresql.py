"""Options for PostgreSQL that are obeyed, translated or refused: TLS, hosts, sockets, time-outs."""

from __future__ import annotations

from agtool.migrate_once.url.table.row import Option, modes, switch

_VERIFY = {"sslmode": "verify-full", "sslrootcert?": "system"}
_REQUIRE = {"sslmode": "require"}

SSLMODES = modes(
    "sslmode",
    {
        **{mode: mode for mode in ("disable", "allow", "prefer", "require")},
        "verifyca": "verify-ca",
        "verifyfull": "verify-full",
        "noverify": "require",
    },
)

_TIMED = "agtool's own --connect-timeout bounds it"
_SILENCE = "agtool has time-outs of its own for a silent server"

POSTGRESQL: tuple[Option, ...] = (
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
        values=switch(_VERIFY, {}),
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
        values=switch({}, {}),
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
        values=switch({"load_balance_hosts": "random"}, {"load_balance_hosts": "disable"}),
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
)
