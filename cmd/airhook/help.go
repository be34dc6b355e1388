package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/cmd/airhook/internal/render"
)

// describeOutput makes the help of -o say what this command prints; the flag is one for all commands.
func describeOutput(help func(*cobra.Command, []string)) func(*cobra.Command, []string) {
	return func(cmd *cobra.Command, args []string) {
		if f := cmd.Flag("output"); f != nil {
			f.Usage = "`FORMAT` of standard output: " + strings.Join(formatsOf(cmd), ", ")
			if cmd.HasSubCommands() {
				f.Usage += " and others, by command"
			}
		}
		help(cmd, args)
	}
}

// newHelp is cobra's help command, except that an unknown word is an error.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Explain a command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 && about.HasSubCommands() {
				return group(about, rest)
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			var names []string
			if about, _, err := cmd.Root().Find(args); err == nil {
				names = commandsBelow(about)
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

func commandsBelow(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletion(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print a script that completes commands, flags and ids in your shell",
		Long:  "Print a script for " + strings.Join(shells, ", ") + " that completes commands, flags and connection ids.",
		Example: `  source <(airhook completion bash)                                     # this shell; put it into ~/.bashrc for all
  airhook completion zsh > "${fpath[1]}/_airhook"                       # then start a new shell
  airhook completion fish > ~/.config/fish/completions/airhook.fish
  airhook completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args:      takes(1, 1, "SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("SHELL", args[0], shells); err != nil {
				return err
			}
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(a.stdout)
		},
	}
}

// completesIDs completes connection ids: one, or as many as are wanted.
func (a *app) completesIDs(cmd *cobra.Command, most int) *cobra.Command {
	cmd.ValidArgsFunction = func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return a.ids(cmd), cobra.ShellCompDirectiveNoFileComp
	}
	return cmd
}

// ids are the known connections with their types. A store that can't be read completes nothing.
func (a *app) ids(cmd *cobra.Command) []string {
	client, err := a.client(cmd.Context())
	if err != nil {
		return nil
	}
	var ids []string
	for conn, err := range client.List(cmd.Context()) {
		if err == nil {
			ids = append(ids, cobra.CompletionWithDesc(conn.ID, render.Visible(describeConnection(conn.Masked()))))
		}
	}
	return ids
}

func describeConnection(c airhook.Connection) string {
	if c.Description != "" {
		return c.Description
	}
	return strings.TrimSpace(c.Type + " " + c.Host)
}
