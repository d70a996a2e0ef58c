// An application that migrates its database by itself: goose as a library, with nothing else in its
// image than this program and the files in /migrations.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"

	_ "github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
)

func main() {
	if err := migrate(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func migrate(ctx context.Context) error {
	db, err := sql.Open("pgx", os.Getenv("DATABASE_URL"))
	if err != nil {
		return err
	}
	defer db.Close()
	provider, err := goose.NewProvider(goose.DialectPostgres, db, os.DirFS("/migrations"))
	if err != nil {
		return err
	}
	done, err := provider.Up(ctx)
	for _, each := range done {
		fmt.Println(each)
	}
	return err
}
