package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"ariga.io/atlas/sql/migrate"
	"ariga.io/atlas/sql/sqlclient"
)

// revisions keeps Atlas's history in a table, as its command does.
type revisions struct {
	client *sqlclient.Client
}

const table = "atlas_schema_revisions"

// kept is what migrate.Revision has, and in a form that can be read again.
type kept struct {
	migrate.Revision
	Type          uint
	Hash          string
	PartialHashes []string
}

func openRevisions(ctx context.Context, client *sqlclient.Client) (*revisions, error) {
	// A table of the connection's own schema.
	_, err := client.DB.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+table+
		" (version varchar(100) PRIMARY KEY, revision text NOT NULL)")
	return &revisions{client}, err
}

func (r *revisions) Ident() *migrate.TableIdent {
	ident := &migrate.TableIdent{Name: table}
	if r.client.Name == "postgres" && r.client.URL.Schema == "" {
		ident.Schema = "public"
	}
	return ident
}

func (r *revisions) ReadRevisions(ctx context.Context) ([]*migrate.Revision, error) {
	rows, err := r.client.DB.QueryContext(ctx, "SELECT revision FROM "+table+" ORDER BY version")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var found []*migrate.Revision
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			return nil, err
		}
		var one kept
		if err := json.Unmarshal([]byte(text), &one); err != nil {
			return nil, err
		}
		one.Revision.Type = migrate.RevisionType(one.Type)
		one.Revision.Hash, one.Revision.PartialHashes = one.Hash, one.PartialHashes
		found = append(found, &one.Revision)
	}
	return found, rows.Err()
}

func (r *revisions) ReadRevision(ctx context.Context, version string) (*migrate.Revision, error) {
	found, err := r.ReadRevisions(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range found {
		if one.Version == version {
			return one, nil
		}
	}
	return nil, migrate.ErrRevisionNotExist
}

func (r *revisions) WriteRevision(ctx context.Context, revision *migrate.Revision) error {
	text, err := json.Marshal(kept{*revision, uint(revision.Type), revision.Hash, revision.PartialHashes})
	if err != nil {
		return err
	}
	tx, err := r.client.DB.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, r.bound("DELETE FROM %s WHERE version = ?"), revision.Version); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, r.bound("INSERT INTO %s VALUES (?, ?)"), revision.Version, string(text)); err != nil {
		return err
	}
	return tx.Commit()
}

func (r *revisions) DeleteRevision(ctx context.Context, version string) error {
	_, err := r.client.DB.ExecContext(ctx, r.bound("DELETE FROM %s WHERE version = ?"), version)
	return err
}

// bound names the table, and writes parameters as the database has them.
func (r *revisions) bound(statement string) string {
	statement = fmt.Sprintf(statement, table)
	if r.client.Name != "postgres" {
		return statement
	}
	for number := 1; strings.Contains(statement, "?"); number++ {
		statement = strings.Replace(statement, "?", fmt.Sprintf("$%d", number), 1)
	}
	return statement
}
