CREATE TABLE customers (id serial PRIMARY KEY, name varchar(100) NOT NULL);
--> statement-breakpoint
CREATE INDEX customers_name ON customers (name);
