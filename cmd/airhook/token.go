package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
)

// printedToken is -o json of `token`: what was asked for, the one place where a secret is printed.
type printedToken struct {
	Connection string  `json:"connection"`
	User       string  `json:"user"`
	Token      string  `json:"token"`
	Host       string  `json:"host"`
	Port       int     `json:"port"`
	Database   string  `json:"database"`
	Expires    *string `json:"expires"`
	Principal  *string `json:"principal"`
}

func newToken(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "token ID",
		Short: "Print a login token, for psql and other programs",
		Long: `Print the token alone and a newline. It is a password for some minutes: keep it out of logs. -o json adds user, host,
port, database, when it expires, and as principal the id of the access key that signed it (explain asks AWS for the ARN).`,
		Example: `  PGPASSWORD=$(airhook token warehouse) psql -h … -U …`,
		Args:    takes(1, 1, "ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			token, err := a.token(cmd, args[0])
			if err != nil {
				return err
			}
			if a.flags.output == "json" {
				return a.printValue(token)
			}
			_, err = fmt.Fprintln(a.stdout, token.Token)
			return err
		},
	}
}

func (a *app) token(cmd *cobra.Command, id string) (printedToken, error) {
	client, err := a.client(cmd.Context())
	if err != nil {
		return printedToken{}, err
	}
	t, err := client.Target(cmd.Context(), id)
	if err != nil {
		return printedToken{}, err
	}
	if t.Method == airhook.MethodPassword {
		return printedToken{}, &airhook.Error{
			ID: id, Stage: airhook.StageCredential, Kind: airhook.ErrInvalid, Err: errors.New("it logs in with a password and has no token"),
			Hint: `a token needs "iam": true in the extra`,
		}
	}
	cred, err := client.Credential(cmd.Context(), id)
	if err != nil {
		return printedToken{}, err
	}
	token := printedToken{Connection: id, User: cred.User, Token: cred.Password.Reveal(), Host: t.Host, Port: t.Port, Database: t.Database}
	if !cred.Expires.IsZero() {
		expires := cred.Expires.UTC().Format(time.RFC3339)
		token.Expires = &expires
	}
	if cred.Principal != "" {
		token.Principal = &cred.Principal
	}
	return token, nil
}
