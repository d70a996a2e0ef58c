"""Options for MySQL and MariaDB that are obeyed, translated or refused: TLS, hosts, time-outs."""

from __future__ import annotations

from agtool.migrate_once.url.table.row import NO, YES, Option, modes, switch

_SPELLINGS = {
    **dict.fromkeys(("disabled", "disable", "none", *NO), "DISABLED"),
    **dict.fromkeys(("preferred", "prefer"), "PREFERRED"),
    **dict.fromkeys(("required", "require", "trust", "noverify"), "REQUIRED"),
    "verifyca": "VERIFY_CA",
    **dict.fromkeys(("verifyidentity", "verifyfull", *YES), "VERIFY_IDENTITY"),
}

# Rails' Trilogy knows SSL_MODE_REQUIRED, too.
_MYSQL_MODES = modes(
    "ssl_mode", {**_SPELLINGS, **{f"sslmode{name}": mode for name, mode in _SPELLINGS.items()}}
)

_TIMED = "agtool's own --connect-timeout bounds it"
_SILENCE = "agtool has time-outs of its own for a silent server"

MYSQL: tuple[Option, ...] = (
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
        values=switch({"ssl_mode": "DISABLED"}, {}),
    ),
    Option(
        "mysql",
        "useSSL, useSsl",
        "MariaDB Connector/J",
        "values",
        "true: VERIFY_IDENTITY, false: DISABLED; sslMode wins",
        values=switch(
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
        values=switch({"ssl": "true"}, {"ssl_mode": "DISABLED"}),
        merge="default",
    ),
    Option(
        "mysql",
        "requireSSL",
        "Connector/J",
        "values",
        "true: at least REQUIRED",
        values=switch({"ssl": "true"}, {}),
        merge="raise",
    ),
    Option(
        "mysql",
        "verifyServerCertificate",
        "Connector/J",
        "values",
        "true: at least VERIFY_CA",
        values=switch({"ssl_mode": "VERIFY_CA"}, {}),
        merge="raise",
    ),
    Option(
        "mysql",
        "trustServerCertificate, Trust Server Certificate",
        "MariaDB Connector/J",
        "values",
        "true: REQUIRED, with any certificate",
        values=switch(
            {"ssl?": "true", "ssl_verify_cert": "false", "ssl_verify_identity": "false"}, {}
        ),
    ),
    Option(
        "mysql",
        "disableSslHostnameVerification",
        "MariaDB Connector/J",
        "values",
        "true: the name in the certificate is not verified",
        values=switch({"ssl_verify_identity": "false"}, {}),
    ),
    Option(
        "mysql",
        "sslverify",
        "mysql2 (Ruby)",
        "values",
        "true: VERIFY_IDENTITY",
        values=switch({"ssl_mode": "VERIFY_IDENTITY"}, {}),
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
        values=switch({"ssl_verify_cert": "false"}, {}),
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
        values=switch({"ssl_verify_cert": "true"}, {"ssl_verify_cert": "false"}),
    ),
    Option(
        "mysql",
        "ssl_verify_identity, ssl_check_hostname",
        "PyMySQL, SQLAlchemy, mysql-connector-python",
        "values",
        "whether the name in it is verified",
        values=switch({"ssl_verify_identity": "true"}, {"ssl_verify_identity": "false"}),
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
)
