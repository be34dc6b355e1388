package airflow

import (
	"context"
	"fmt"
	"iter"
	"os"
	"slices"
	"strings"

	"github.com/airhook-go/airhook"
)

const envPrefix = "AIRFLOW_CONN_"

// EnvName is the variable that defines a connection: AIRFLOW_CONN_ and the id in upper case, nothing else changed.
func EnvName(id string) string { return envPrefix + strings.ToUpper(id) }

// Env is the registry of the AIRFLOW_CONN_* variables of this process, each a URI or a JSON object. Ids are found in
// any case and listed in lower case. A variable of blanks defines nothing, as in Airflow.
type Env struct{}

// Get returns the connection that the id's variable defines.
func (Env) Get(ctx context.Context, id string) (airhook.Connection, error) {
	if err := ctx.Err(); err != nil {
		return airhook.Connection{}, err
	}
	name := EnvName(id)
	value := strip(os.Getenv(name))
	if id == "" || value == "" {
		return airhook.Connection{}, notFound(id)
	}
	return fromEnv(id, name, value)
}

func fromEnv(id, name, value string) (airhook.Connection, error) {
	read, hint := parseURI, uriHint
	if strings.HasPrefix(value, "{") {
		read, hint = parseJSON, jsonHint
	}
	c, err := read(value)
	if err != nil {
		return airhook.Connection{ID: id, FoundIn: "environment"}, invalid(id, hint, "read "+name, err)
	}
	c.ID, c.FoundIn = id, "environment"
	return c, nil
}

// List yields what the environment defines, by id.
func (Env) List(ctx context.Context) iter.Seq2[airhook.Connection, error] {
	return func(yield func(airhook.Connection, error) bool) {
		vars := os.Environ()
		slices.Sort(vars)
		for _, v := range vars {
			if err := ctx.Err(); err != nil {
				yield(airhook.Connection{}, err)
				return
			}
			name, value, _ := strings.Cut(v, "=")
			id := strings.ToLower(strings.TrimPrefix(name, envPrefix))
			if value = strip(value); name != EnvName(id) || id == "" || value == "" {
				continue // another variable, or one that Get would not find
			}
			if !yield(fromEnv(id, name, value)) {
				return
			}
		}
	}
}

func notFound(id string) error {
	return &airhook.Error{ID: id, Kind: airhook.ErrNotFound, Err: fmt.Errorf("connection %q isn't defined", id)}
}
