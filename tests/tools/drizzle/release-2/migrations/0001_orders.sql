CREATE TABLE orders (id serial PRIMARY KEY, goods varchar(100) NOT NULL);
--> statement-breakpoint
INSERT INTO orders (goods) VALUES ('pears'), ('plums');
