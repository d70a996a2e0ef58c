--liquibase formatted sql

--changeset shop:customers
CREATE TABLE customers (id serial PRIMARY KEY, name varchar(100) NOT NULL);

--changeset shop:customers_name runInTransaction:false
@index@;
