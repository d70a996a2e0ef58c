module agtool.example/golang-migrate

go 1.26

tool github.com/golang-migrate/migrate/v4/cmd/migrate

require github.com/golang-migrate/migrate/v4 v4.20.1
