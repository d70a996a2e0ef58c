--liquibase formatted sql

--changeset shop:orders
CREATE TABLE orders (id serial PRIMARY KEY, goods varchar(100) NOT NULL);
INSERT INTO orders (goods) VALUES ('pears'), ('plums');
