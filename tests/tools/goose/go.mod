module agtool.example/goose

go 1.26

tool github.com/pressly/goose/v3/cmd/goose

require github.com/pressly/goose/v3 v3.30.0
