//go:build unix

package examples_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/airhooktest"
)

// copier is a Redshift that understands every statement and keeps it: the dev stack's loads nothing from S3.
type copier struct {
	testing.TB // of no test; what it lacks nobody calls

	client  *airhook.Client
	arrived []string
	endings []func()
}

// copies returns one, reached by the id of a connection.
func copies(id string) *copier {
	c := &copier{}
	conn := airhooktest.Script(c, airhooktest.AskPassword(func(string, string) bool { return true }), airhooktest.Welcome(), c.serve)
	conn.ID, conn.Type = id, "redshift"
	var err error
	if c.client, err = airhook.New(airhook.Config{Registry: airhooktest.Registry(conn)}); err != nil {
		log.Fatal(err)
	}
	return c
}

// tell prints the statements that arrived, and ends the server.
func (c *copier) tell() {
	c.client.Close()
	for i := len(c.endings) - 1; i >= 0; i-- { // these wait for the server
		c.endings[i]()
	}
	for _, sql := range c.arrived {
		fmt.Println(strings.ReplaceAll(sql, "\t\t", "  ") + ";")
	}
}

func (c *copier) serve(_ context.Context, s *airhooktest.Session) error {
	status := byte('I')
	for {
		msg, err := s.Receive()
		if err != nil {
			return err
		}
		query, ok := msg.(*pgproto3.Query)
		if !ok {
			return io.EOF // the client leaves
		}
		tag := strings.Fields(query.String)[0]
		switch tag {
		case "BEGIN":
			status = 'T'
		case "COMMIT", "ROLLBACK":
			status = 'I'
		default:
			c.arrived = append(c.arrived, strings.TrimSpace(query.String))
		}
		s.Send(&pgproto3.CommandComplete{CommandTag: []byte(tag)})
		s.Send(&pgproto3.ReadyForQuery{TxStatus: status})
		if err := s.Flush(); err != nil {
			return err
		}
	}
}

// What the scripted server asks of a test.

func (c *copier) Helper()                           {}
func (c *copier) Context() context.Context          { return ctx }
func (c *copier) Cleanup(f func())                  { c.endings = append(c.endings, f) }
func (c *copier) Fatal(args ...any)                 { log.Fatal(args...) }
func (c *copier) Errorf(format string, args ...any) { fmt.Printf(format+"\n", args...) }
