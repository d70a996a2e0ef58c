-- +goose Up
CREATE TABLE customers (id int PRIMARY KEY, name varchar(100) NOT NULL);

-- +goose Down
DROP TABLE customers;
