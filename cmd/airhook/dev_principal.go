package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/devstack"
	"github.com/airhook-go/airhook/devstack/policy"
)

// principalFlags are those of `dev principal`.
type principalFlags struct {
	role          bool
	policy, trust string
}

func newDevPrincipal(a *app) *cobra.Command {
	var f principalFlags
	cmd := &cobra.Command{
		Use:   "principal NAME",
		Short: "Make or change a user or role of the dev stack's account, with an IAM policy",
		Long: `Make a user of the dev stack's account, or a role, or change one: what it may do is what --policy says from now on, and
nothing without it. A user keeps its keys. -o json prints them; so does: airhook dev status -o json.`,
		Example: `  airhook policy warehouse -o json | jq .permissions >policy.json
  airhook dev principal newcomer --policy policy.json -o json
  airhook policy loader -o json | jq .role_permissions >role.json
  airhook policy loader --trust >trust.json
  airhook dev principal loader --role --policy role.json --trust trust.json
`,
		Args: takes(1, 1, "NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.devPrincipal(cmd.Context(), args[0], f)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.role, "role", false, "make or change a role, not a user")
	flags.StringVar(&f.policy, "policy", "", "what it may do: an IAM policy in `FILE` (- is standard input)")
	flags.StringVar(&f.trust, "trust", "", "who may assume the role: a trust policy in `FILE` (- is standard input)")
	return cmd
}

func (a *app) devPrincipal(ctx context.Context, name string, f principalFlags) error {
	switch {
	case f.trust != "" && !f.role:
		return usagef("add --role, or leave --trust out", "--trust is for roles")
	case f.trust == "-" && f.policy == "-":
		return usagef("name a file for one of them", "--policy and --trust can't both be standard input")
	}
	document, err := a.readDocument(ctx, f.policy, policy.Parse)
	if err != nil {
		return err
	}
	trust, err := a.readDocument(ctx, f.trust, policy.ParseTrust)
	if err != nil {
		return err
	}
	dir, err := a.devDir()
	if err != nil {
		return err
	}
	if f.role {
		role, err := devstack.PutRole(ctx, dir, name, document, trust)
		if err != nil {
			return a.ownWords(dir, err)
		}
		return a.printPrincipal(role, f, [][2]string{{"role", role.Name}, {"ARN", role.ARN}})
	}
	user, err := devstack.PutUser(ctx, dir, name, document)
	if err != nil {
		return a.ownWords(dir, err)
	}
	return a.printPrincipal(user, f, [][2]string{{"user", user.Name}, {"ARN", user.ARN}, {"access key", user.AccessKeyID}})
}

// printPrincipal shows people all but the secrets, and says what is missing.
func (a *app) printPrincipal(entry any, f principalFlags, pairs [][2]string) error {
	if a.flags.output == "json" {
		return a.printValue(entry)
	}
	if f.policy == "" {
		a.note("it may do nothing: give it a policy by --policy FILE")
	}
	if f.role && f.trust == "" {
		a.note("nobody may assume it: give it a trust policy by --trust FILE")
	}
	return a.printPairs(pairs)
}

// readDocument reads a policy and says what is wrong with it; no file is no policy.
func (a *app) readDocument(ctx context.Context, file string, parse func([]byte) (policy.Document, error)) (json.RawMessage, error) {
	if file == "" {
		return nil, nil
	}
	var text []byte
	var err error
	if name := file; name == "-" {
		file = "standard input"
		var read string
		read, err = a.readStdin(ctx)
		text = []byte(read)
	} else {
		text, err = readFile(name)
	}
	if err != nil {
		return nil, err
	}
	if _, err := parse(text); err != nil {
		return nil, &fileError{file: file, err: &airhook.Error{Kind: airhook.ErrInvalid, Err: fmt.Errorf("%s: %w", file, err), Hint: "IAM's elements: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements.html"}}
	}
	return text, nil
}
