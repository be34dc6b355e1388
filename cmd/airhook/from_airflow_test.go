//go:build unix

package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/jackc/pgx/v5/pgproto3"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/airhook-go/airhook/airhooktest"
	"github.com/airhook-go/airhook/devstack"
)

const (
	fromAirflowPage    = "../../docs/from-airflow.md"
	fromAirflowScripts = "testdata/from-airflow"
	fromAirflowGo      = "../../docs/examples/*_example_test.go"
)

// TestFromAirflowScripts runs the shell cells of docs/from-airflow.md, each as it is shown, in a home of its own and with a dev
// stack's AWS. Where a cell names a port, it is made the stack's; $MYDB_PORT, … are those of the instances. There are
//
//	fails CODE airhook ARG…   as in TestScripts
//	copier ID                 defines a connection to a scripted Redshift that takes every statement
//	arrived FILE              wants that these statements arrived there
func TestFromAirflowScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("it starts a dev stack, and -short asks for none")
	}
	stack := newStack(t)
	status := stack.Status()
	testscript.Run(t, testscript.Params{
		Dir: fromAirflowScripts,
		Setup: func(env *testscript.Env) error {
			env.Vars = append(env.Vars, stack.Env()...)
			env.Setenv("HOME", env.WorkDir)
			env.Setenv("AIRHOOK_HOME", filepath.Join(env.WorkDir, ".airhook"))
			for _, in := range status.Instances {
				env.Setenv(strings.ToUpper(strings.ReplaceAll(in.ID, "-", "_"))+"_PORT", strconv.Itoa(in.Port))
			}
			env.Values[arrivals{}] = &copier{}
			return toStack(env.WorkDir, status)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"fails": fails,
			"copier": func(ts *testscript.TestScript, _ bool, args []string) {
				conn := airhooktest.Script(t, airhooktest.AskPassword(func(string, string) bool { return true }), airhooktest.Welcome(), ts.Value(arrivals{}).(*copier).serve)
				conn.Type = "redshift"
				define(ts, args[0], conn)
			},
			"arrived": func(ts *testscript.TestScript, _ bool, args []string) {
				if diff := cmp.Diff(strings.Fields(ts.ReadFile(args[0])), strings.Fields(ts.Value(arrivals{}).(*copier).all())); diff != "" {
					ts.Fatalf("what arrived (-want +got):\n%s", diff)
				}
			},
		},
	})
}

// newStack is a dev stack in this process, which ends with the test.
func newStack(t *testing.T) *devstack.Stack {
	t.Helper()
	dir, err := os.MkdirTemp("", "airhook-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	stack, err := devstack.Start(t.Context(), devstack.Options{Dir: filepath.Join(dir, "dev")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stack.Close(); err != nil {
			t.Error(err)
		}
	})
	return stack
}

// toStack gives a script's files what is the stack's: every port the number that it has there, which is that of the instance
// named last before it, and the keys of AWS's own examples its admin's. The file password holds that of my-cluster's awsuser.
func toStack(dir string, s devstack.Status) error {
	names := regexp.MustCompile(`\b(?:mydb|my-redshift-cluster|my-serverless-workgroup|my-cluster|my-workgroup|5432|5439)\b`)
	keys := strings.NewReplacer("AKIAIOSFODNN7EXAMPLE", s.AWS.Principals[0].AccessKeyID, "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", s.AWS.Principals[0].SecretAccessKey)
	cluster, _ := s.Instance("my-cluster")
	err := os.WriteFile(filepath.Join(dir, "password"), []byte(cluster.PasswordLogin.Password+"\n"), 0o600)
	return errors.Join(err, filepath.WalkDir(dir, func(file string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		port := ""
		made := names.ReplaceAllStringFunc(keys.Replace(string(text)), func(word string) string {
			if in, found := s.Instance(word); found {
				port = strconv.Itoa(in.Port)
			} else if port != "" {
				return port
			}
			return word
		})
		return os.WriteFile(file, []byte(made), 0o600)
	}))
}

// arrivals is the key of a script's copier.
type arrivals struct{}

// copier keeps the statements that arrived at a scripted Redshift: the dev stack's loads nothing from S3.
type copier struct {
	mu      sync.Mutex
	arrived []string
}

func (c *copier) all() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return strings.Join(c.arrived, ";\n") + ";"
}

// serve answers both protocols: a query in one message, and one that is prepared.
func (c *copier) serve(_ context.Context, s *airhooktest.Session) error {
	for {
		msg, err := s.Receive()
		if err != nil {
			return err
		}
		switch msg := msg.(type) {
		case *pgproto3.Query:
			c.keep(msg.String)
			s.Send(&pgproto3.CommandComplete{CommandTag: []byte("COPY")})
			s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Parse:
			c.keep(msg.Query)
			s.Send(&pgproto3.ParseComplete{})
		case *pgproto3.Bind:
			s.Send(&pgproto3.BindComplete{})
		case *pgproto3.Describe:
			s.Send(&pgproto3.NoData{})
		case *pgproto3.Execute:
			s.Send(&pgproto3.CommandComplete{CommandTag: []byte("COPY")})
		case *pgproto3.Sync:
			s.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
		case *pgproto3.Terminate:
			return io.EOF
		default:
			return fmt.Errorf("got %T", msg)
		}
		if err := s.Flush(); err != nil {
			return err
		}
	}
}

func (c *copier) keep(sql string) {
	c.mu.Lock()
	c.arrived = append(c.arrived, strings.Trim(sql, "; \n"))
	c.mu.Unlock()
}

// aCell is a block of the page that is written from its source: <!-- go: Example_rds -->, <!-- sh: login.txtar rds.sh -->.
var aCell = regexp.MustCompile("(?ms)^<!-- (\\w+): ([^\n]+) -->\n\n```\\w+\n.*?^```$")

// TestFromAirflowPage holds the cells of docs/from-airflow.md to what the tests run: the bodies of the Examples of
// docs/examples, and the files of testdata/from-airflow. With -update it writes them.
func TestFromAirflowPage(t *testing.T) {
	want, err := os.ReadFile(fromAirflowPage)
	if err != nil {
		t.Fatal(err)
	}
	cells, used := fromAirflowCells(t), map[string]bool{}
	got := aCell.ReplaceAllStringFunc(string(want), func(block string) string {
		m := aCell.FindStringSubmatch(block)
		text, ok := cells[m[2]]
		if !ok {
			t.Errorf("the page shows %q, which no test runs", m[2])
			return block
		}
		used[m[2]] = true
		return fmt.Sprintf("<!-- %s: %s -->\n\n```%s\n%s\n```", m[1], m[2], m[1], text)
	})
	if *update {
		if err := os.WriteFile(fromAirflowPage, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		want = []byte(got)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("docs/from-airflow.md is not what the tests run; run make docs (-page +tests):\n%s", diff)
	}
	for name := range cells {
		if !used[name] && (strings.HasPrefix(name, "Example_") || strings.HasSuffix(name, ".sh")) {
			t.Errorf("the page does not show %q", name)
		}
	}
	marked := regexp.MustCompile("(?m)^<!-- (?:go|sh): ").FindAllString(got, -1)
	if all := regexp.MustCompile("(?m)^ *```(?:go|sh|bash|console)$").FindAllString(got, -1); len(all) != len(marked) {
		t.Errorf("the page has %d Go and shell cells, and %d have a source", len(all), len(marked))
	}
}

// fromAirflowCells are the sources of the page's cells, by what the page calls them.
func fromAirflowCells(t *testing.T) map[string]string {
	t.Helper()
	cells := map[string]string{}
	for _, file := range glob(t, fromAirflowGo) {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, source, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example_") {
				cells[f.Name.Name] = body(string(source[f.Body.Lbrace-parsed.FileStart+1 : f.Body.Rbrace-parsed.FileStart]))
			}
		}
	}
	for _, file := range glob(t, fromAirflowScripts+"/*.txtar") {
		archive, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range archive.Files {
			if !strings.Contains(string(archive.Comment), f.Name) && strings.HasSuffix(f.Name, ".sh") {
				t.Errorf("%s does not run %s", file, f.Name)
			}
			cells[filepath.Base(file)+" "+f.Name] = strings.TrimRight(string(f.Data), "\n")
		}
	}
	return cells
}

// body is what a reader sees of a function: one tab less, and without set-up.
func body(source string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.Trim(source, "\n")) {
		if !strings.HasSuffix(line, "// hidden\n") {
			b.WriteString(strings.TrimPrefix(line, "\t"))
		}
	}
	return strings.TrimRight(b.String(), "\n")
}

func glob(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		t.Fatalf("no files fit %s: %v", pattern, err)
	}
	return files
}
