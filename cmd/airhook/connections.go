package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airflow"
)

func newConnections(a *app) *cobra.Command {
	cmd := &cobra.Command{Use: "connections", Short: "Add, show, test and delete connections", RunE: group}
	cmd.AddCommand(newAdd(a), a.completesIDs(newGet(a), 1), newList(a), a.completesIDs(newDelete(a), 0), a.completesIDs(newTest(a), 0))
	return cmd
}

func newGet(a *app) *cobra.Command {
	var reveal bool
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show a connection, secrets masked",
		Long: `Show a connection, from the environment or the store. -o uri prints Airflow's URI and -o env a line
AIRFLOW_CONN_ID=URI; neither holds a description. Without --reveal secrets are stars, and the line can't be used.`,
		Args: takes(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			client, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			conn, err := client.Get(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.printConnection(conn, reveal)
		},
	}
	cmd.Flags().BoolVar(&reveal, "reveal", false, "print secrets")
	return printing(cmd, "uri", "env")
}

func (a *app) printConnection(c airhook.Connection, reveal bool) error {
	whole := c
	if !reveal {
		c = c.Masked()
	}
	switch a.flags.output {
	case "json":
		return a.printValue(json.RawMessage(c.RevealJSON()))
	case "uri", "env":
		uri, err := airflow.FormatURI(c)
		if err != nil {
			return err
		}
		if !reveal {
			uri = strings.ReplaceAll(uri, "%2A%2A%2A", "***") // stars stay stars for the reader
		}
		if a.flags.output == "env" {
			uri = airflow.EnvName(c.ID) + "=" + uri
		}
		a.warnUnusable(c, whole)
		return a.printLine("%s", uri) // a conn_type may hold anything
	}
	return a.printPairs([][2]string{
		{"conn_id", c.ID},
		{"conn_type", c.Type},
		{"description", c.Description},
		{"host", c.Host},
		{"port", portText(c)},
		{"login", c.Login},
		{"password", c.Password.Reveal()},
		{"schema", c.Schema},
		{"extra", betweenTokens.ReplaceAllString(c.Extra.Reveal(), " ")},
		{"found_in", c.FoundIn},
	})
}

// betweenTokens are line breaks and what indents the next line: JSON has them nowhere else.
var betweenTokens = regexp.MustCompile(`[\r\n]\s*`)

// shellName is what a shell can export.
var shellName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// warnUnusable says why the URI or line of the environment of a connection won't work as it was printed.
func (a *app) warnUnusable(printed, whole airhook.Connection) {
	printed.Description, whole.Description = "", ""             // no URI holds it
	if !bytes.Equal(printed.RevealJSON(), whole.RevealJSON()) { // what masking did to spaces is no difference
		a.note("secrets are masked, and nobody can log in with this; --reveal prints them")
	}
	if name := airflow.EnvName(whole.ID); a.flags.output == "env" && !shellName.MatchString(name) {
		a.warn("no shell can export %s: give it to a program by env(1) or an env file, or store the connection", name)
	}
}

func portText(c airhook.Connection) string {
	if !c.Has(airhook.FieldPort) {
		return ""
	}
	return strconv.Itoa(c.Port)
}

func newList(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List connections, secrets masked",
		Args:  takes(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			client, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			conns, unread := a.readAll(cmd.Context(), client)
			if len(conns) == 0 && unread == nil {
				a.note(noConnections)
			}
			return errors.Join(a.printConnections(conns), unread)
		},
	}
}

const noConnections = "no connections yet; add one with: airhook connections add ID --conn-uri URI"

// readAll lists by id. Entries that cannot be read are named on standard error and summed up in an error of kind
// failed, because the others are fine.
func (a *app) readAll(ctx context.Context, client *airhook.Client) ([]airhook.Connection, error) {
	conns := []airhook.Connection{}
	var unread, hints []string
	for conn, err := range client.List(ctx) {
		switch {
		case err == nil:
			conns = append(conns, conn)
		case conn.ID == "": // the registry itself
			return conns, err
		default:
			unread = append(unread, conn.ID)
			if hint := describe(err).Hint; hint != "" && !slices.Contains(hints, hint) {
				hints = append(hints, hint)
			}
			a.tell("airhook: " + naming(conn.ID, err))
		}
	}
	slices.SortStableFunc(conns, func(x, y airhook.Connection) int { return strings.Compare(x.ID, y.ID) })
	if len(unread) > 0 {
		return conns, &airhook.Error{Err: fmt.Errorf("unreadable: %s", strings.Join(unread, ", ")), Hint: strings.Join(hints, "; ")}
	}
	return conns, nil
}

// naming is an error's text with the id in it.
func naming(id string, err error) string {
	if strings.Contains(err.Error(), id) {
		return err.Error()
	}
	return fmt.Sprintf("connection %q: %s", id, err)
}

func (a *app) printConnections(conns []airhook.Connection) error {
	if a.flags.output == "json" {
		return a.printValue(conns)
	}
	if len(conns) == 0 {
		return nil
	}
	var rows [][]string
	for _, c := range conns {
		c = c.Masked()
		row := []string{c.ID, c.Type, c.Host, portText(c), c.Login, c.Schema, c.FoundIn}
		for i := 1; i < len(row) && a.stdout.terminal; i++ { // the id is what people copy
			row[i] = shortened(row[i])
		}
		rows = append(rows, row)
	}
	return a.printGrid([]string{"conn_id", "conn_type", "host", "port", "login", "schema", "found_in"}, rows)
}

func newDelete(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "delete ID…",
		Short: "Delete connections from the store: all of them or, when one is unknown, none",
		Args:  takes(1, -1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			s, err := a.open(cmd.Context())
			if err != nil {
				return err
			}
			ids := slices.Compact(slices.Sorted(slices.Values(args)))
			if err := s.Store.DeleteAll(cmd.Context(), ids); err != nil {
				return a.whyNotDeleted(cmd.Context(), ids, err)
			}
			if a.flags.output == "json" {
				return a.printValue(map[string][]string{"deleted": ids})
			}
			return a.printLine("deleted %s", strings.Join(ids, ", "))
		},
	}
}

// whyNotDeleted says of an id that only the environment knows where it really is, and suggests one that is near to an
// unknown one.
func (a *app) whyNotDeleted(ctx context.Context, ids []string, err error) error {
	var e *airhook.Error
	if !errors.Is(err, airhook.ErrNotFound) || !errors.As(err, &e) {
		return err
	}
	for _, id := range ids {
		if e.ID == id && a.inEnvironment(id) {
			return &airhook.Error{
				ID: id, Kind: airhook.ErrReadOnly, Err: fmt.Errorf("connection %q comes from the environment variable %s", id, airflow.EnvName(id)),
				Hint: "unset " + airflow.EnvName(id),
			}
		}
	}
	var missing *airhook.Error
	if _, unknown := a.opened.Client.Get(ctx, e.ID); !errors.Is(unknown, airhook.ErrNotFound) || !errors.As(unknown, &missing) {
		return err
	}
	if !strings.HasPrefix(missing.Hint, "did you mean") { // the other hint is how to add it
		missing.Hint = "airhook connections list shows the ids"
	}
	return missing
}

func (a *app) inEnvironment(id string) bool {
	return strings.TrimSpace(a.getenv(airflow.EnvName(id))) != ""
}
