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
			found, err := a.toTest(cmd.Context(), client, ids, all)
			if err != nil {
				return err
			}
			reports := testAll(cmd.Context(), client, found)
			printed := a.printReports(reports, all || len(ids) > 1)
			if err := cmd.Context().Err(); err != nil { // the stages passed are worth knowing
				return errors.Join(printed, err)
			}
			return errors.Join(printed, a.outcome(reports)) // a test has failed, whoever reads of it
		},
	}
	cmd.Flags().BoolVar(&all, "all", false, "test every connection to PostgreSQL and Redshift")
	return cmd
}

// found is a connection, or its id and why it can't be read.
type found struct {
	conn airhook.Connection
	err  error
}

// toTest looks every id up. One that can't be read is a test that fails, and the others are tried all the same.
func (a *app) toTest(ctx context.Context, client *airhook.Client, ids []string, all bool) ([]found, error) {
	if all {
		return a.databases(ctx, client)
	}
	var each []found
	for _, id := range ids {
		conn, err := client.Get(ctx, id)
		if err != nil {
			conn = airhook.Connection{ID: id}
		}
		each = append(each, found{conn, err})
	}
	return each, nil
}

// databases are the connections that a session can be opened to, and those that can't be read, by id.
func (a *app) databases(ctx context.Context, client *airhook.Client) (each []found, err error) {
	for conn, err := range client.List(ctx) {
		if err != nil && conn.ID == "" { // the registry itself
			return nil, err
		}
		each = append(each, found{conn, err})
	}
	if len(each) == 0 {
		a.note(noConnections)
	}
	slices.SortStableFunc(each, func(x, y found) int { return strings.Compare(x.conn.ID, y.conn.ID) })
	return slices.DeleteFunc(each, func(f found) bool { return f.err == nil && !a.isDatabase(f.conn) }), nil
}

// isDatabase says of a connection that is none that it is not tested.
func (a *app) isDatabase(conn airhook.Connection) bool {
	switch misspelt := meantType(conn.Type); {
	case opensSession(conn.Type):
		return true
	case misspelt != "":
		a.warn("%s is not tested: its conn_type is %q – did you mean %s?", conn.ID, conn.Type, misspelt)
	default:
		a.note("%s (%s) is no database and is not tested", conn.ID, conn.Type)
	}
	return false
}

const testsAtOnce = 8 // enough to hide time-outs, few enough for one database

// tested is a report and the failure in it.
type tested struct {
	airhook.Report
	err error
}

// testAll keeps the order. After a cancel no more begin, and their reports are missing.
func testAll(ctx context.Context, client *airhook.Client, each []found) []tested {
	reports := make([]tested, len(each))
	turn := make(chan struct{}, testsAtOnce)
	var wait sync.WaitGroup
	for i, f := range each {
		turn <- struct{}{}
		if ctx.Err() != nil {
			reports = reports[:i]
			break
		}
		wait.Go(func() {
			reports[i] = f.test(ctx, client)
			<-turn
		})
	}
	wait.Wait()
	return reports
}

func (f found) test(ctx context.Context, client *airhook.Client) tested {
	if f.err == nil {
		r := client.Test(ctx, f.conn)
		last := &r.Steps[len(r.Steps)-1]
		if last.Stage == airhook.StageTarget {
			err := meaning(f.conn, r.Err())
			last.Hint = describe(err).Hint
			return tested{r, err}
		}
		return tested{r, r.Err()}
	}
	problem := strings.TrimPrefix(f.err.Error(), fmt.Sprintf("connection \"%s\": ", f.conn.ID)) // the report has the id
	step := airhook.Step{Stage: airhook.StageTarget, Problem: problem, Hint: describe(f.err).Hint}
	return tested{airhook.Report{Connection: f.conn.ID, Steps: []airhook.Step{step}}, f.err}
}

func (a *app) printReports(reports []tested, several bool) error {
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
		if err := visible(r.Report).WriteText(a.stdout); err != nil {
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
func (a *app) outcome(reports []tested) error {
	var failed []string
	var first error
	for _, r := range reports {
		if r.OK {
			continue
		}
		if first == nil {
			first = r.err
		}
		failed = append(failed, fmt.Sprintf("%s at %s", r.Connection, r.Steps[len(r.Steps)-1].Stage))
	}
	if first == nil {
		return nil
	}
	if len(reports) == 1 && a.stdout.terminal {
		return &shownError{alone: true, err: first}
	}
	summary := "failed: "
	if len(reports) > 1 {
		summary = fmt.Sprintf("%d of %d failed: ", len(failed), len(reports))
	}
	return &shownError{summary: summary + strings.Join(failed, ", "), alone: len(reports) == 1, err: first}
}
