// Command shop-migrate does with Atlas's library what `atlas migrate apply`, `atlas schema inspect`
// and `atlas schema clean` do with the database of DATABASE_URL.
package main

import (
	"context"
	"fmt"
	"log"
	"os"

	"ariga.io/atlas/sql/migrate"
	_ "ariga.io/atlas/sql/mysql"
	_ "ariga.io/atlas/sql/postgres"
	"ariga.io/atlas/sql/schema"
	"ariga.io/atlas/sql/sqlclient"
	_ "github.com/go-sql-driver/mysql"
	_ "github.com/lib/pq"
)

func main() {
	ctx := context.Background()
	client, err := sqlclient.Open(ctx, os.Getenv("DATABASE_URL"))
	if err != nil {
		log.Fatal(err)
	}
	defer client.Close()
	commands := map[string]func(context.Context, *sqlclient.Client) error{
		"apply":   apply,
		"inspect": inspect,
		"clean":   clean,
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		log.Fatal("shop-migrate apply|inspect|clean")
	}
	if err := commands[os.Args[1]](ctx, client); err != nil {
		log.Fatal(err)
	}
}

func apply(ctx context.Context, client *sqlclient.Client) error {
	local, err := migrate.NewLocalDir("migrations")
	if err != nil {
		return err
	}
	files, err := local.Files()
	if err != nil {
		return err
	}
	// With the sum that `atlas migrate hash` would write.
	dir := migrate.OpenMemDir("migrations")
	if err := dir.CopyFiles(files); err != nil {
		return err
	}
	revisions, err := openRevisions(ctx, client)
	if err != nil {
		return err
	}
	executor, err := migrate.NewExecutor(client.Driver, dir, revisions)
	if err != nil {
		return err
	}
	if err := executor.ExecuteN(ctx, 0); err != nil && err != migrate.ErrNoPendingFiles {
		return err
	}
	return nil
}

func inspect(ctx context.Context, client *sqlclient.Client) error {
	exclude := os.Args[2:]
	if client.URL.Schema != "" {
		found, err := client.InspectSchema(ctx, client.URL.Schema, &schema.InspectOptions{Exclude: exclude})
		if err != nil {
			return err
		}
		return show(client, found)
	}
	found, err := client.InspectRealm(ctx, &schema.InspectRealmOption{Exclude: exclude})
	if err != nil {
		return err
	}
	return show(client, found)
}

func show(client *sqlclient.Client, found any) error {
	text, err := client.MarshalSpec(found)
	fmt.Printf("%s", text)
	return err
}

func clean(ctx context.Context, client *sqlclient.Client) error {
	found, err := client.InspectSchema(ctx, client.URL.Schema, nil)
	if err != nil {
		return err
	}
	changes := []schema.Change{}
	for _, table := range found.Tables {
		changes = append(changes, &schema.DropTable{T: table})
	}
	return client.ApplyChanges(ctx, changes)
}
