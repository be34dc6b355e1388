package arch

import (
	"go/ast"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// pages are the documents that people read to find their way.
func pages(t *testing.T) []string {
	t.Helper()
	all := []string{"README.md", "CONTRIBUTING.md"}
	for _, pattern := range []string{"docs/*.md", "docs/adr/*.md", "changelog/unreleased/*.md"} {
		names, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil || len(names) == 0 {
			t.Fatalf("no pages fit %s: %v", pattern, err)
		}
		for _, name := range names {
			rel, err := filepath.Rel(top, name)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, filepath.ToSlash(rel))
		}
	}
	return all
}

func exists(pattern string) bool {
	names, err := filepath.Glob(filepath.Join(top, filepath.FromSlash(strings.TrimSuffix(pattern, "/..."))))
	return err == nil && len(names) > 0
}

var (
	fence = regexp.MustCompile("(?ms)^```.*?^```$")
	span  = regexp.MustCompile("`([^`\n]+)`")
	link  = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	// aFile is what can only be a file of this repository; aPath has folders in it.
	aFile = regexp.MustCompile(`^[\w./*-]+\.(go|md|sh|mod|ya?ml|txtar|txt)$`)
	aPath = regexp.MustCompile(`^[\w.*-]+(/[\w.*-]+)+/?(\.\.\.)?$|^[\w.-]+/$`)
	// elsewhere is what has a path's shape and is none of ours: modules of a host, Go's own packages, what make leaves.
	elsewhere = regexp.MustCompile(`^\w+(\.\w+)+/|^(encoding|testing)/\w+$|^bin/`)
)

// looksLikePath reports whether a piece of inline code names something in the repository. It doesn't ask what is there
// today: a page must not go on naming a folder that was removed.
func looksLikePath(code string) bool {
	return (aFile.MatchString(code) || aPath.MatchString(code)) && !elsewhere.MatchString(code)
}

func TestAPathIsToldWithoutLookingForIt(t *testing.T) {
	for code, want := range map[string]bool{
		"removed/of/old": true, "removed/": true, "removed/*": true, "./removed/...": true, ".ci/removed": true, "removed.go": true, "aws/iam": true,
		"github.com/spf13/cobra": false, "modernc.org/sqlite": false, "go.uber.org/goleak": false, "encoding/json": false, "testing/synctest": false, "bin/airhook": false,
		"make test": false, "iam": false, "?n=5": false, "http://http://host": false, "go test ./...": false, "AIRFLOW_CONN_<ID>": false,
	} {
		if got := looksLikePath(strings.TrimPrefix(code, "./")); got != want {
			t.Errorf("looksLikePath(%q) = %t", code, got)
		}
	}
}

func TestEveryPathInDocumentsExists(t *testing.T) {
	for _, page := range pages(t) {
		text := fence.ReplaceAllString(read(t, page), "")
		for _, m := range span.FindAllStringSubmatch(text, -1) {
			code := strings.TrimPrefix(m[1], "./")
			if looksLikePath(code) && !exists(code) && !exists(path.Join(path.Dir(page), code)) && !exists("*/"+code) {
				t.Errorf("%s names `%s`, which does not exist", page, m[1])
			}
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, ":") {
				continue // in the page, or on the web
			}
			if !exists(path.Join(path.Dir(page), target)) {
				t.Errorf("%s links to %s, which does not exist", page, m[1])
			}
		}
	}
}

// TestArchitectureHasEveryFolder compares the tree of docs/architecture.md with the folders that hold packages, both ways.
func TestArchitectureHasEveryFolder(t *testing.T) {
	tree, _, ok := strings.Cut(strings.TrimPrefix(fence.FindString(read(t, "docs/architecture.md")), "```text\n"), "```")
	if !ok || tree == "" {
		t.Fatal("docs/architecture.md has no tree; it is the first block, ```text")
	}
	told := map[string]bool{}
	for line := range strings.Lines(tree) {
		name, _, _ := strings.Cut(line, " ")
		if name == "" || name == "\n" {
			continue // a line goes on
		}
		told[strings.TrimSuffix(name, "/")] = true
		if !exists(name) {
			t.Errorf("docs/architecture.md: %s does not exist", name)
		}
	}
	for _, f := range goFiles(t) {
		dir := f.dir()
		parent := path.Dir(dir) // what lies right below a told folder needs no line of its own
		if !told[dir] && (parent == "." || !told[parent]) {
			t.Errorf("docs/architecture.md: the tree has no line for %s", dir)
			told[dir] = true
		}
	}
}

func TestPagesStayShort(t *testing.T) {
	for page, most := range map[string]int{"README.md": 150, "CONTRIBUTING.md": 100, "docs/architecture.md": 120} {
		if n := strings.Count(read(t, page), "\n"); n > most {
			t.Errorf("%s has %d lines, more than %d", page, n, most)
		}
	}
	for _, page := range pages(t) {
		if n := strings.Count(read(t, page), "\n"); n > 50 && below(page, "docs/adr") && path.Base(page) != "README.md" {
			t.Errorf("%s has %d lines; a decision fits on a page", page, n)
		}
	}
}

func TestDecisionsAreInTheIndex(t *testing.T) {
	index := read(t, "docs/adr/README.md")
	for _, page := range pages(t) {
		if below(page, "docs/adr") && path.Base(page) != "README.md" && !strings.Contains(index, "("+path.Base(page)+")") {
			t.Errorf("docs/adr/README.md does not link to %s", path.Base(page))
		}
	}
}

// TestEveryDependencyHasAReason reads go.mod's direct requirements, those without "// indirect".
func TestEveryDependencyHasAReason(t *testing.T) {
	reasons, count := read(t, "docs/dependencies.md"), 0
	mod := read(t, "go.mod")
	for line := range strings.Lines(mod) {
		words := strings.Fields(strings.TrimPrefix(line, "require "))
		if len(words) != 2 || !strings.HasPrefix(words[1], "v") || !strings.Contains(words[0], ".") {
			continue
		}
		count++
		if !strings.Contains(reasons, "| `"+words[0]+"` |") {
			t.Errorf("docs/dependencies.md has no line for %s: what for, why this one, what it pulls in", words[0])
		}
	}
	if count < 10 {
		t.Errorf("found %d direct dependencies in go.mod; the test reads it wrongly", count)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(reasons, -1) {
		if !strings.Contains(mod, "\t"+m[1]+" v") {
			t.Errorf("docs/dependencies.md has a line for %s, which go.mod does not require", m[1])
		}
	}
}

// TestEveryTestInDocumentsExists: a table that says which test holds a claim is worth as much as its names.
func TestEveryTestInDocumentsExists(t *testing.T) {
	tests := map[string]bool{}
	for _, f := range goFiles(t) {
		for _, d := range f.ast.Decls {
			if d, ok := d.(*ast.FuncDecl); ok && f.isTest() && d.Recv == nil {
				tests[d.Name.Name] = true
			}
		}
	}
	name := regexp.MustCompile("`((?:Test|Fuzz|Benchmark|Example)[A-Z]\\w*)(?:/[^`]*)?`")
	for _, page := range pages(t) {
		for _, m := range name.FindAllStringSubmatch(read(t, page), -1) {
			if !tests[m[1]] {
				t.Errorf("%s names the test %s, which does not exist", page, m[1])
			}
		}
	}
}
