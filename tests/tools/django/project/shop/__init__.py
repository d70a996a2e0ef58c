"""The application. PyMySQL stands for mysqlclient, which has to be compiled."""

import pymysql

pymysql.install_as_MySQLdb()
