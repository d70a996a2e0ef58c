"""The application's tables, as of release 2."""

from sqlalchemy import Column, Index, Integer, MetaData, String, Table

metadata = MetaData()
Table(
    "customers",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(100), nullable=False),
    Index("customers_name", "name"),
)
Table("orders", metadata, Column("id", Integer, primary_key=True))
