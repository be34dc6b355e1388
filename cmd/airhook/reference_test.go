package main

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "write docs/cli.md from the commands")

const referenceFile = "../../docs/cli.md"

// TestCLIReference holds docs/cli.md to what the commands say of themselves.
func TestCLIReference(t *testing.T) {
	got := reference(newRoot(&app{stdout: &output{w: &bytes.Buffer{}}, stderr: &bytes.Buffer{}}))
	if *update {
		if err := os.WriteFile(referenceFile, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(referenceFile)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("docs/cli.md is not what the commands say; run make docs (-file +commands):\n%s", diff)
	}
}

func reference(root *cobra.Command) []byte {
	var b bytes.Buffer
	b.WriteString("# Command line\n\nWritten from the commands by `make docs`; `airhook COMMAND --help` says the same.\n\n")
	b.WriteString("Standard output carries results only; progress, notices and errors go to standard error.\n\n")
	b.WriteString("## Flags of every command\n\n")
	writeFlags(&b, root.PersistentFlags())
	b.WriteString("\n## Exit codes\n\n| Code | When |\n| --- | --- |\n")
	for _, row := range [][2]string{
		{"0", "it worked"},
		{"1", "anything else"},
		{"2", "a wrong flag, or a connection or input that cannot work; it exists already; it is read only"},
		{"3", "unknown connection id, file or table"},
		{"4", "AWS or the database said no to this identity or this resource"},
		{"5", "unreachable: DNS, TCP, time-out, certificate"},
		{"6", "the server refused the statement"},
		{"130", "Ctrl-C"},
	} {
		fmt.Fprintf(&b, "| %s | %s |\n", row[0], row[1])
	}
	b.WriteString("\nWith `-o json` the last line of standard error is one object: `{\"error\": {\"kind\", \"message\", \"hint\", …}}`.\n")
	writeCommands(&b, root)
	return b.Bytes()
}

// writeCommands writes those that do something, in the order of help.
func writeCommands(b *bytes.Buffer, cmd *cobra.Command) {
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.Name() == "help" {
			continue
		}
		if !c.HasAvailableSubCommands() {
			writeCommand(b, c)
		}
		writeCommands(b, c)
	}
}

func writeCommand(b *bytes.Buffer, c *cobra.Command) {
	fmt.Fprintf(b, "\n## %s\n\n```text\n%s\n```\n\n", c.CommandPath(), c.UseLine())
	text := c.Long
	if text == "" {
		text = c.Short + "."
	}
	fmt.Fprintf(b, "%s\n", markdown(text))
	if c.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.TrimRight(unindent(c.Example), "\n"))
	}
	if formats := formatsOf(c); len(formats) > 2 {
		fmt.Fprintf(b, "\nFormats (`-o`): %s.\n", strings.Join(formats, ", "))
	}
	if c.LocalNonPersistentFlags().HasAvailableFlags() {
		b.WriteString("\n")
		writeFlags(b, c.LocalNonPersistentFlags())
	}
}

// markdown keeps help's paragraphs and turns its indented lines into code blocks.
func markdown(text string) string {
	var b strings.Builder
	code := false
	for line := range strings.Lines(strings.TrimSpace(text) + "\n") {
		indented := strings.HasPrefix(line, "  ")
		if indented != code && line != "\n" {
			if code = indented; code {
				b.WriteString("\n```text\n")
			} else {
				b.WriteString("```\n\n")
			}
		}
		if line == "\n" && code {
			continue
		}
		if !code {
			line = escaped(line)
		}
		b.WriteString(strings.TrimPrefix(line, "  "))
	}
	if code {
		b.WriteString("```\n")
	}
	return strings.TrimRight(strings.ReplaceAll(b.String(), "\n\n\n", "\n\n"), "\n")
}

func unindent(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.TrimPrefix(line, "  "))
	}
	return b.String()
}

func writeFlags(b *bytes.Buffer, flags *pflag.FlagSet) {
	b.WriteString("| Flag | Does |\n| --- | --- |\n")
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		if f.Name == "output" { // each command's help has its own
			value, usage = "FORMAT", "format of standard output: table (the default) or json, and what a command names below"
		}
		name := strings.TrimSpace("--" + f.Name + " " + value)
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		fmt.Fprintf(b, "| `%s` | %s |\n", name, escaped(usage))
	})
}

// escaped is text that Markdown shows as it is, in a table too.
func escaped(text string) string { return strings.NewReplacer("|", `\|`, "<", `\<`).Replace(text) }
