// pgx: BeforeConnect comes before each new connection of the pool and may change how it is made.
package main

import (
	"bufio"
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// login is what the mounted Secret says now. It is read from one file, so that host and password belong together even
// while the Secret is switched.
func login() (string, error) {
	folder := os.Getenv("DATABASE_DIR")
	if folder == "" {
		folder = "/var/run/db"
	}
	text, err := os.ReadFile(filepath.Join(folder, "uri"))
	if err != nil {
		return "", err
	}
	uri, err := url.Parse(string(text))
	if err != nil {
		return "", fmt.Errorf("the key uri of the Secret is no URI") // err would quote it
	}
	query := uri.Query()
	query.Set("sslmode", "verify-full")
	if ca := filepath.Join(folder, "certificates"); exists(ca) {
		query.Set("sslrootcert", ca)
	}
	uri.RawQuery = query.Encode()
	return uri.String(), nil
}

func openPool(ctx context.Context) (*pgxpool.Pool, error) {
	uri, err := login()
	if err != nil {
		return nil, err
	}
	config, err := pgxpool.ParseConfig(uri)
	if err != nil {
		return nil, err
	}
	config.MaxConnLifetime = 3 * time.Minute
	config.BeforeConnect = func(_ context.Context, connection *pgx.ConnConfig) error {
		uri, err := login()
		if err != nil {
			return err
		}
		now, err := pgx.ParseConfig(uri)
		if err != nil {
			return err
		}
		connection.Config = now.Config // host, login and the name that TLS asks for
		return nil
	}
	return pgxpool.NewWithConfig(ctx, config)
}

// Runs each line of standard input as SQL, on a new session and on the one that the first line opened.
func main() {
	ctx := context.Background()
	var pool *pgxpool.Pool
	var held *pgxpool.Conn
	fmt.Println("ready")
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		if held == nil {
			pool = must(openPool(ctx))
			held = must(pool.Acquire(ctx))
		}
		seen, err := onNewSession(ctx, pool, lines.Text())
		if err != nil {
			seen = fmt.Sprintf("refused (%v)", err)
		}
		fmt.Printf("new: %s, held: %s\n", seen, must(query(ctx, held, lines.Text())))
	}
}

func onNewSession(ctx context.Context, pool *pgxpool.Pool, statement string) (string, error) {
	session, err := pool.Acquire(ctx)
	if err != nil {
		return "", err
	}
	// Closed, so that the pool forgets it and the next one is new as well.
	defer session.Release()
	defer session.Conn().Close(ctx)
	return query(ctx, session, statement)
}

func query(ctx context.Context, session *pgxpool.Conn, statement string) (value string, err error) {
	err = session.QueryRow(ctx, statement).Scan(&value)
	return value, err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func must[T any](value T, err error) T {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	return value
}
