package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/aws/iam"
)

// printedNeeds is -o json of `policy`.
type printedNeeds struct {
	Permissions json.RawMessage `json:"permissions"`
	Role        json.RawMessage `json:"role_permissions"`   // permissions by who has to have them,
	Caller      json.RawMessage `json:"caller_permissions"` // null without a role
	Trust       json.RawMessage `json:"trust"`              // null without a role
	SQL         []string        `json:"sql"`
	Notes       []string        `json:"notes"`
}

func newPolicy(a *app) *cobra.Command {
	var trust, sql bool
	cmd := &cobra.Command{
		Use:   "policy ID",
		Short: "Print what AWS and the database must allow for a login",
		Long: `Print the IAM policy that a login of this connection needs and no more, the trust policy of the role that logs in, where it
is one, and the SQL that makes the database's user. AWS is asked for the account and for ids, where it may be; what it does
not tell stands there as *, and a note on standard error says what it is and how to find it.`,
		Example: `  airhook policy warehouse
  airhook policy warehouse --trust > trust.json
  airhook policy warehouse --sql | psql …`,
		Args: takes(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if trust && sql {
				return usagef("leave both out to print everything", "--trust and --sql exclude each other")
			}
			needs, err := a.needs(cmd, args[0])
			switch {
			case err != nil:
				return err
			case a.flags.output == "json":
				return a.printValue(printedNeeds{needs.Permissions, needs.Role, needs.Caller, needs.Trust, needs.SQL, append([]string{}, needs.Notes...)})
			case trust && needs.Trust == nil:
				return noTrust(args[0], needs)
			}
			if err := a.printNeeds(needs, trust, sql); err != nil {
				return err
			}
			for _, note := range needs.Notes {
				a.note("%s", note)
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&trust, "trust", false, "print the role's trust policy alone")
	cmd.Flags().BoolVar(&sql, "sql", false, "print the SQL alone")
	return cmd
}

// needs asks for what a login needs. The target isn't resolved: who may not look up its endpoint wants to know what would
// allow it.
func (a *app) needs(cmd *cobra.Command, id string) (iam.Needs, error) {
	s, err := a.open(cmd.Context())
	if err != nil {
		return iam.Needs{}, err
	}
	conn, err := s.Client.Get(cmd.Context(), id)
	if err != nil {
		return iam.Needs{}, err
	}
	t, err := conn.Target()
	if err != nil {
		return iam.Needs{}, err
	}
	if t.Refused != "" {
		a.warn("airhook would not log in: %s", t.Refused)
	}
	return s.Logins.Needs(cmd.Context(), t)
}

func noTrust(id string, needs iam.Needs) error {
	hint := "name the role as role_arn in the extra, or log in with its credentials"
	for _, note := range needs.Notes {
		if strings.HasPrefix(note, "AWS could not be asked") { // and so the role isn't known; the others are about the rest
			hint += "; " + note
		}
	}
	return &airhook.Error{ID: id, Kind: airhook.ErrInvalid, Err: errors.New("no role is known to log in, and only a role has a trust policy"), Hint: hint}
}

// printNeeds writes one part as it is, to be used by a program, or all of them under headings, to be copied.
func (a *app) printNeeds(needs iam.Needs, trust, sql bool) error {
	switch {
	case trust:
		return a.printValue(needs.Trust)
	case sql:
		return a.printStatements(needs.SQL)
	}
	documents := []headed{{"IAM policy of who logs in:", needs.Permissions}}
	if needs.Role != nil {
		documents = []headed{{"IAM policy of the role:", needs.Role}, {"\nIAM policy of who assumes the role:", needs.Caller}}
	}
	if needs.Trust != nil {
		documents = append(documents, headed{"\nTrust policy of the role:", needs.Trust})
	}
	for _, d := range documents {
		if err := a.printDocument(d); err != nil {
			return err
		}
	}
	if len(needs.SQL) == 0 {
		return nil
	}
	if _, err := fmt.Fprintln(a.stdout, "\nSQL for the database:"); err != nil {
		return err
	}
	return a.printStatements(needs.SQL)
}

type headed struct {
	heading  string
	document json.RawMessage
}

func (a *app) printDocument(d headed) error {
	if _, err := fmt.Fprintln(a.stdout, d.heading); err != nil {
		return err
	}
	return a.printValue(d.document)
}

func (a *app) printStatements(statements []string) error {
	for _, s := range statements {
		if err := a.printLine("%s;", s); err != nil {
			return err
		}
	}
	return nil
}
