-- +goose Up
@late@;

-- +goose Down
DROP TABLE late;
