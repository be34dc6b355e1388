package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/airhook-go/airhook/internal/suggest"
)

// usageError is a command line that airhook does not understand.
type usageError struct{ problem, hint string }

func (e *usageError) Error() string { return e.problem }

func usagef(hint, format string, args ...any) error {
	return &usageError{problem: fmt.Sprintf(format, args...), hint: hint}
}

// group is what a command does that only has commands below it: help, or the nearest command to a wrong word.
func group(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return cmd.Help()
	}
	return usagef(suggestion(args[0], commandsBelow(cmd), cmd.CommandPath()+" --help lists the commands"), "unknown command %q", strings.TrimPrefix(cmd.CommandPath()+" "+args[0], "airhook "))
}

// flagError names the flag that is nearest to an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	var names []string
	word := ""
	if errors.As(err, &unknown) && unknown.GetSpecifiedShortnames() == "" {
		word = "--" + unknown.GetSpecifiedName()
		if strings.ContainsAny(word, " \t\n") { // SQL that starts with a comment
			return usagef("write -- before a value that starts with a dash", "%q is taken for a flag", word)
		}
		cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, "--"+f.Name) })
	}
	return usagef(suggestion(word, names, cmd.CommandPath()+" --help lists the flags"), "%s", err)
}

// takes checks the number of words after a command; names are what they are called: ID, SQL.
func takes(least, most int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("usage: "+cmd.UseLine(), "%s is missing", names[len(args)])
		case most >= 0 && len(args) > most:
			return usagef("usage: "+cmd.UseLine(), "unexpected %q", args[most])
		}
		return nil
	}
}

// oneOf checks a flag whose value is a word of a list.
func oneOf(flag, value string, known []string) error {
	if slices.Contains(known, value) {
		return nil
	}
	return usagef(suggestion(value, known, "it can be "+strings.Join(known, ", ")), "%s can't be %q here", flag, value)
}

// suggestion is the nearest known word, else the fallback.
func suggestion(word string, known []string, fallback string) string {
	if near := suggest.Nearest(word, known); word != "" && len(near) > 0 {
		return "did you mean " + near[0] + "?"
	}
	return fallback
}
