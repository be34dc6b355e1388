package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

// newTest is `connections test`; a file test.go would be left out of the build.
func newTest(a *app) *cobra.Command {
	var all bool
	cmd := &cobra.Command{
		Use:   "test ID… | --all",
		Short: "Log in and ask, stage by stage, and say what fails and what to try",
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case all && len(args) > 0:
				return usagef("leave one out", "ids and --all exclude each other")
			case !all && len(args) == 0:
				return usagef("usage: "+cmd.UseLine(), "ID is missing")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, ids []string) error {
			client, err := a.client(cmd.Context())
			if err != nil {
				return err
			}
			conns, unread, err := a.toTest(cmd.Context(), client, ids, all)
			if err != nil {
				return err
			}
			reports := testAll(cmd.Context(), client, conns)
			printed := a.printReports(reports, all || len(ids) > 1)
			if err := cmd.Context().Err(); err != nil { // the stages passed are worth knowing
				return errors.Join(printed, err)
			}
			return errors.Join(printed, a.outcome(reports, unread)) // a test has failed, whoever reads of it
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "test every connection to PostgreSQL and Redshift")
	return cmd
}

// toTest looks every id up before anything is tried. unread is what --all could not read.
func (a *app) toTest(ctx context.Context, client *airhook.Client, ids []string, all bool) (conns []airhook.Connection, unread, err error) {
	if !all {
		for _, id := range ids {
			conn, err := client.Get(ctx, id)
			if err != nil {
				return nil, nil, err
			}
			conns = append(conns, conn)
		}
		return conns, nil, nil
	}
	found, unread := a.readAll(ctx, client)
	if len(found) == 0 && unread == nil {
		a.note(noConnections)
	}
	for _, conn := range found {
		switch misspelt := meantType(conn.Type); {
		case opensSession(conn.Type):
			conns = append(conns, conn)
		case misspelt != "":
			a.warn("%s is not tested: its conn_type is %q – did you mean %s?", conn.ID, conn.Type, misspelt)
		default:
			a.note("%s (%s) is no database and is not tested", conn.ID, conn.Type)
		}
	}
	return conns, unread, nil
}

const testsAtOnce = 8 // enough to hide time-outs, few enough for one database

// testAll keeps the order. After a cancel no more begin, and their reports are missing.
func testAll(ctx context.Context, client *airhook.Client, conns []airhook.Connection) []airhook.Report {
	reports := make([]airhook.Report, len(conns))
	turn := make(chan struct{}, testsAtOnce)
	var wait sync.WaitGroup
	for i, conn := range conns {
		turn <- struct{}{}
		if ctx.Err() != nil {
			reports = reports[:i]
			break
		}
		wait.Go(func() {
			reports[i] = client.Test(ctx, conn)
			<-turn
		})
	}
	wait.Wait()
	return reports
}

func (a *app) printReports(reports []airhook.Report, several bool) error {
	switch {
	case a.flags.output == "json" && several:
		return a.printValue(reports)
	case a.flags.output == "json" && len(reports) > 0:
		return a.printValue(reports[0])
	}
	for i, r := range reports {
		if i > 0 {
			if _, err := fmt.Fprintln(a.stdout); err != nil {
				return err
			}
		}
		if err := visible(r).WriteText(a.stdout); err != nil {
			return err
		}
	}
	return nil
}

// visible is a report whose words, some of them a server's, stay on their lines.
func visible(r airhook.Report) airhook.Report {
	r.Steps = slices.Clone(r.Steps)
	for i, s := range r.Steps {
		r.Steps[i].Detail, r.Steps[i].Problem, r.Steps[i].Hint = render.Visible(s.Detail), render.Visible(s.Problem), render.Visible(s.Hint)
	}
	r.Connection, r.User, r.Database = render.Visible(r.Connection), render.Visible(r.User), render.Visible(r.Database)
	return r
}

// outcome is the first failure; the reports have told the rest, and on a terminal a single one all of it.
func (a *app) outcome(reports []airhook.Report, unread error) error {
	var failed []string
	var first error
	for _, r := range reports {
		if r.OK {
			continue
		}
		if first == nil {
			first = r.Err()
		}
		failed = append(failed, fmt.Sprintf("%s at %s", r.Connection, r.Steps[len(r.Steps)-1].Stage))
	}
	if first == nil {
		return unread
	}
	if len(reports) == 1 && a.stdout.terminal {
		return &shownError{err: first}
	}
	summary := "failed: "
	if len(reports) > 1 {
		summary = fmt.Sprintf("%d of %d failed: ", len(failed), len(reports))
	}
	return &shownError{summary: summary + strings.Join(failed, ", "), err: first}
}
