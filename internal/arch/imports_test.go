package arch

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type edge struct {
	folder string
	may    []string
}

// edges says which of our packages a folder's programs may import: itself and those below it, internal packages, and the
// folders listed. The first entry that fits a folder decides. Tests may import anything.
var edges = []edge{
	{"internal", nil},
	{"airflow", []string{"."}},
	{"aws/session", []string{"."}},
	{"aws", []string{".", "aws/session"}},
	{"defaults", []string{".", "airflow", "aws"}},
	{"hook", []string{"."}},
	{"devstack", []string{"."}}, // it knows PostgreSQL and AWS, not how airhook keeps connections or logs in
	{"airhooktest", []string{".", "devstack/postgres"}},
	{"cmd", []string{".", "airflow", "aws", "defaults", "hook", "devstack"}},
	{"bench", []string{".", "airflow", "aws", "defaults", "hook", "devstack", "airhooktest"}},
	{".", nil},
}

func TestImportsPointOneWay(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		i := slices.IndexFunc(edges, func(e edge) bool { return below(f.dir(), e.folder) })
		if i < 0 {
			t.Errorf("%s: no rule says what this folder may import; add one to edges and a line to docs/architecture.md", f.path)
			continue
		}
		rule := edges[i]
		for _, p := range f.imports() {
			to := ours(p)
			if to == "" || below(to, rule.folder) || below(to, rule.may...) || below(to, "internal") {
				continue
			}
			t.Errorf("%s imports %s; %s may import internal packages and %v", f.path, to, rule.folder, rule.may)
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
