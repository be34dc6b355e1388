package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const (
	module = "github.com/airhook-go/airhook"
	top    = "../.." // tests run in their package's folder
)

// file is one Go file of the module, on whatever system it is compiled.
type file struct {
	path  string // from the top, with slashes
	lines int
	ast   *ast.File
}

func (f file) dir() string     { return path.Dir(f.path) }
func (f file) isTest() bool    { return strings.HasSuffix(f.path, "_test.go") }
func (f file) generated() bool { return ast.IsGenerated(f.ast) }

// imports are the paths that a file imports.
func (f file) imports() []string {
	var all []string
	for _, spec := range f.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			panic(err) // the parser has checked it
		}
		all = append(all, p)
	}
	return all
}

// ours is the folder of an imported package of this module: "" for none, "." for the root.
func ours(imported string) string {
	if imported == module {
		return "."
	}
	if rest, ok := strings.CutPrefix(imported, module+"/"); ok {
		return rest
	}
	return ""
}

// below reports whether dir is one of the folders or lies in one. "." is the root package alone.
func below(dir string, folders ...string) bool {
	for _, f := range folders {
		if dir == f || f != "." && strings.HasPrefix(dir, f+"/") {
			return true
		}
	}
	return false
}

var fileSet = token.NewFileSet()

// files are all Go files of the module, read once.
var files = sync.OnceValues(func() ([]file, error) {
	var all []file
	err := filepath.WalkDir(top, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := d.Name()
		if d.IsDir() && name != top && (strings.HasPrefix(base, ".") || base == "testdata" || base == "bin" || base == "tools") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		parsed, err := parser.ParseFile(fileSet, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(top, name)
		all = append(all, file{path: filepath.ToSlash(rel), lines: strings.Count(string(text), "\n"), ast: parsed})
		return err
	})
	return all, err
})

func goFiles(t *testing.T) []file {
	t.Helper()
	all, err := files()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("found %d Go files below %s; the tests look in the wrong place", len(all), top)
	}
	return all
}

// read returns a file of the repository.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHelpersTellFoldersApart(t *testing.T) {
	for _, tc := range []struct {
		dir, folder string
		want        bool
	}{
		{"aws/iam", "aws", true},
		{"aws", "aws", true},
		{"awsome", "aws", false},
		{".", ".", true},
		{"hook", ".", false},
	} {
		if got := below(tc.dir, tc.folder); got != tc.want {
			t.Errorf("below(%q, %q) = %t", tc.dir, tc.folder, got)
		}
	}
	if got := ours(module + "/aws/iam"); got != "aws/iam" {
		t.Errorf("ours = %q", got)
	}
	if got := ours(module + "x"); got != "" {
		t.Errorf("ours of another module = %q", got)
	}
}
