-- +goose NO TRANSACTION
-- +goose Up
@index@;

-- +goose Down
SELECT 1;
