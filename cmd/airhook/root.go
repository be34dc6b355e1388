package main

import (
	"log/slog"
	"strings"

	"github.com/spf13/cobra"
)

// newRoot builds the tree of commands. It opens nothing.
func newRoot(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:   "airhook",
		Short: "Named connections to PostgreSQL and Redshift that hold their own keys",
		Long: `airhook keeps named connections in Apache Airflow's formats, logs in to Amazon RDS, Redshift and
Redshift Serverless with AWS IAM, and runs SQL. See it work on this machine, without AWS:

  airhook quickstart`,
		Example: `  airhook connections add warehouse --conn-uri 'redshift://app@my-cluster.xyz.us-east-1.redshift.amazonaws.com:5439/dev?iam=true'
  airhook connections test warehouse
  airhook sql warehouse 'SELECT current_user, current_database()'`,
		Args:              cobra.ArbitraryArgs, // group names the nearest command
		SilenceUsage:      true,
		SilenceErrors:     true,
		RunE:              group,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return a.checkGlobals(cmd) },
	}
	flags := root.PersistentFlags()
	flags.StringVar(&a.flags.home, "home", "", "keep everything in `DIR` (default $AIRHOOK_HOME)")
	flags.StringVarP(&a.flags.output, "output", "o", "table", "")
	flags.BoolVar(&a.flags.noColor, "no-color", false, "never colour standard error (also NO_COLOR)")
	flags.BoolVarP(&a.flags.quiet, "quiet", "q", false, "say nothing on standard error but warnings and errors")
	flags.StringVar(&a.flags.logLevel, "log-level", "", "log from this `LEVEL` on: debug, info, warn or error (default warn)")
	root.SetIn(a.stdin)
	root.SetOut(a.stdout)
	root.SetErr(a.stderr)
	root.SetFlagErrorFunc(flagError)
	root.SetHelpFunc(describeOutput(root.HelpFunc()))
	root.SetHelpCommand(newHelp())
	root.CompletionOptions.DisableDefaultCmd = true
	_ = root.RegisterFlagCompletionFunc("output", func(cmd *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
		return formatsOf(cmd), cobra.ShellCompDirectiveNoFileComp
	})
	root.AddCommand(newQuickstart(a), newConnections(a), a.completesIDs(newSQL(a), 1), a.completesIDs(newToken(a), 1), a.completesIDs(newExplain(a), 1),
		a.completesIDs(newPolicy(a), 1), newDev(a), newVersion(a), newCompletion(a))
	return root
}

// formatsKey annotates a command with the formats that it can print.
const formatsKey = "formats"

// printing gives a command its formats beside table and json.
func printing(cmd *cobra.Command, more ...string) *cobra.Command {
	cmd.Annotations = map[string]string{formatsKey: strings.Join(more, " ")}
	return cmd
}

func formatsOf(cmd *cobra.Command) []string {
	return append([]string{"table", "json"}, strings.Fields(cmd.Annotations[formatsKey])...)
}

// checkGlobals refuses an unknown format or level before anything happens.
func (a *app) checkGlobals(cmd *cobra.Command) error {
	if err := oneOf("--output", a.flags.output, formatsOf(cmd)); err != nil {
		return err
	}
	if a.flags.logLevel == "" {
		return nil
	}
	var level slog.Level
	if level.UnmarshalText([]byte(a.flags.logLevel)) != nil {
		return oneOf("--log-level", a.flags.logLevel, []string{"debug", "info", "warn", "error"})
	}
	return nil
}
