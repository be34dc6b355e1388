package arch

import (
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

type edge struct {
	folder string
	may    []string
}

// edges says which of our packages a folder's programs may import: those of the top's internal folder, those of its own
// internal folder, and those listed, which are exact. A folder fits its own entry, or the first that ends in "/..." and
// holds it. Tests may import anything.
var edges = []edge{
	{".", nil},
	{"internal/...", nil},
	{"airflow", []string{"."}},
	{"aws/session", []string{"."}},
	{"aws/iam", []string{".", "aws/session"}},
	{"defaults", []string{".", "airflow", "aws/iam", "aws/session"}},
	{"hook", []string{"."}},
	{"devstack", []string{".", "devstack/cloud", "devstack/gateway", "devstack/postgres", "devstack/sigv4"}}, // it doesn't know how airhook keeps connections or logs in
	{"devstack/cloud", []string{"devstack/policy", "devstack/sigv4"}},
	{"devstack/policy", nil},
	{"devstack/sigv4", nil},
	{"devstack/gateway", nil},
	{"devstack/postgres", []string{"."}},
	{"devstack/clients", nil},
	{"airhooktest", []string{".", "devstack/postgres"}},
	{"cmd/airhook", []string{".", "airflow", "aws/iam", "aws/session", "defaults", "hook", "devstack", "devstack/cloud", "devstack/policy", "devstack/postgres"}},
	{"cmd/airhook/internal/...", nil},
	{"docs/examples", nil},
	{"bench/...", []string{".", "airflow", "aws/iam", "aws/session", "defaults", "hook", "devstack", "airhooktest"}},
}

// ruleOf is the entry of edges for a folder.
func ruleOf(dir string) (edge, bool) {
	i := slices.IndexFunc(edges, func(e edge) bool {
		all, ok := strings.CutSuffix(e.folder, "/...")
		return dir == e.folder || ok && below(dir, all)
	})
	if i < 0 {
		return edge{}, false
	}
	return edges[i], true
}

// mayImport reports whether programs in dir, which keep to rule, may import our package to.
func mayImport(dir string, rule edge, to string) bool {
	return below(to, "internal", path.Join(dir, "internal")) || slices.Contains(rule.may, to)
}

func TestImportsPointOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		rule, ok := ruleOf(f.dir())
		if !ok {
			t.Errorf("%s: no rule says what this folder may import; add one to edges and a line to docs/architecture.md", f.path)
			continue
		}
		for _, p := range f.imports() {
			if to := ours(p); to != "" && !mayImport(f.dir(), rule, to) {
				t.Errorf("%s imports %s; %s may import internal packages and %v", f.path, to, f.dir(), rule.may)
			}
		}
	}
}

func TestNeighboursNeedAnEdgeOfTheirOwn(t *testing.T) {
	for _, tc := range []struct {
		from, to string
		want     bool
	}{
		{"aws/iam", "aws/session", true},
		{"aws/session", "aws/iam", false},
		{"aws/new", "aws/session", false}, // a new folder is asked for its rule
		{"devstack/cloud", "devstack/sigv4", true},
		{"devstack/sigv4", "devstack/cloud", false},
		{"devstack/gateway", "devstack", false},
		{"devstack", "aws/iam", false},
		{"internal/roots", "internal/files", true},
		{"internal/files", ".", false},
		{"hook", "internal/notice", true},
		{"hook", "defaults", false},
		{".", "internal/refresh", true},
		{".", "airflow", false},
		{"cmd/airhook", "cmd/airhook/internal/render", true},
		{"cmd/airhook/internal/render", "hook", false},
		{"cmd/airhook", "airhooktest", false},
	} {
		rule, ok := ruleOf(tc.from)
		if got := ok && mayImport(tc.from, rule, tc.to); got != tc.want {
			t.Errorf("%s may import %s: %t", tc.from, tc.to, got)
		}
	}
}

// foreign says where heavy libraries may be imported, also by tests: a library that spreads is one that everybody pays for.
var foreign = []struct {
	library string
	folders []string
}{
	{"github.com/aws/", []string{"aws", "devstack"}},
	{"github.com/apache/arrow-go/", []string{"frame", "bulk", "hook"}},
	{"github.com/parquet-go/", []string{"frame/parquet"}},
	{"modernc.org/", []string{"airflow"}},
	{"github.com/spf13/", []string{"cmd"}},
}

func TestHeavyLibrariesStayWhereTheyBelong(t *testing.T) {
	for _, f := range goFiles(t) {
		for _, p := range f.imports() {
			for _, rule := range foreign {
				if strings.HasPrefix(p, rule.library) && !below(f.dir(), rule.folders...) {
					t.Errorf("%s imports %s, which belongs below %v", f.path, p, rule.folders)
				}
			}
		}
	}
}

func TestProgramsNeverImportTestHelpers(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() || below(f.dir(), "airhooktest", "bench") {
			continue
		}
		for _, p := range f.imports() {
			if p == "testing" || strings.HasPrefix(p, "testing/") || ours(p) == "airhooktest" {
				t.Errorf("%s imports %s: helpers of tests live in airhooktest or in _test.go files", f.path, p)
			}
		}
	}
}

// TestBinaryHoldsNoTests looks at what the binary is really made of, libraries included. text/template is in cobra's
// import list; nothing may use it, for it keeps every method of every type: make check's size budget tells.
func TestBinaryHoldsNoTests(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "-f", "{{.ImportPath}}{{range .Imports}} {{.}}{{end}}", "./cmd/airhook")
	cmd.Dir = top
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	packages := strings.Split(strings.TrimSpace(string(out)), "\n")
	if len(packages) < 200 {
		t.Fatalf("go list gave %d packages", len(packages))
	}
	for _, line := range packages {
		words := strings.Fields(line)
		for _, imported := range words[1:] {
			switch imported {
			case "testing", "html/template", "go.uber.org/goleak", "github.com/google/go-cmp/cmp":
				t.Errorf("the binary's package %s imports %s", words[0], imported)
			case "text/template":
				if words[0] != "github.com/spf13/cobra" {
					t.Errorf("the binary's package %s imports %s, which makes it 13 MB larger", words[0], imported)
				}
			}
		}
	}
}
