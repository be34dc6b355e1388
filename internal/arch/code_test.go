package arch

import (
	"go/ast"
	"go/token"
	"path"
	"slices"
	"strings"
	"testing"
)

const (
	maxFile        = 500 // lines of a Go file
	maxRoot        = 2500
	maxRootExports = 30
)

func TestFilesStayReadable(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.lines > maxFile && !f.generated() {
			t.Errorf("%s has %d lines, more than %d: split it by what its parts are about", f.path, f.lines, maxFile)
		}
	}
}

// TestRootStaysSmall counts types and functions; methods, constants and errors come with them.
func TestRootStaysSmall(t *testing.T) {
	lines := 0
	var exported []string
	for _, f := range goFiles(t) {
		if f.dir() != "." || f.isTest() {
			continue
		}
		lines += f.lines
		for _, d := range f.ast.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				if d.Recv == nil && d.Name.IsExported() {
					exported = append(exported, d.Name.Name)
				}
			case *ast.GenDecl:
				for _, s := range d.Specs {
					if s, ok := s.(*ast.TypeSpec); ok && s.Name.IsExported() {
						exported = append(exported, s.Name.Name)
					}
				}
			}
		}
	}
	if lines > maxRoot {
		t.Errorf("the root package has %d lines, more than %d", lines, maxRoot)
	}
	if len(exported) > maxRootExports {
		slices.Sort(exported)
		t.Errorf("the root package exports %d types and functions, more than %d: %s", len(exported), maxRootExports, strings.Join(exported, " "))
	}
}

// TestPackagesSayWhatTheyAre wants one comment a package, in its doc.go, where a reader looks for it. A program in one
// file may have it there.
func TestPackagesSayWhatTheyAre(t *testing.T) {
	comments, sources := map[string][]string{}, map[string]int{}
	for _, f := range goFiles(t) {
		if f.isTest() {
			continue
		}
		sources[f.dir()]++
		if f.ast.Doc != nil {
			comments[f.dir()] = append(comments[f.dir()], path.Base(f.path))
		}
	}
	for dir, n := range sources {
		where := comments[dir]
		switch {
		case len(where) == 0:
			t.Errorf("%s: no package comment; write doc.go: what it is for, an example, what it is not for", dir)
		case len(where) > 1:
			t.Errorf("%s: package comments in %v; keep the one in doc.go", dir, where)
		case where[0] != "doc.go" && n > 1:
			t.Errorf("%s: the package comment is in %s; move it to doc.go", dir, where[0])
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, f := range goFiles(t) {
		if f.isTest() || f.generated() || f.ast.Name.Name == "main" {
			continue
		}
		for _, d := range f.ast.Decls {
			for _, name := range undocumented(d) {
				t.Errorf("%s: %s is exported and has no comment: say what it does, what stays true, what the caller owes", f.path, name)
			}
		}
	}
}

// undocumented are the exported names of a declaration without a comment. A comment on a group of constants or
// variables counts for each of them.
func undocumented(d ast.Decl) []string {
	var names []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || exportedReceiver(d.Recv)) && !standardMethod(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, s := range d.Specs {
			switch s := s.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, exportedOf(s.Names)...)
				}
			}
		}
	}
	return names
}

// standardMethod reports methods whose name is a promise of the standard library's.
func standardMethod(d *ast.FuncDecl) bool {
	return d.Recv != nil && slices.Contains([]string{"Error", "String", "Unwrap", "Len", "Less", "Swap"}, d.Name.Name)
}

func exportedOf(names []*ast.Ident) []string {
	var all []string
	for _, n := range names {
		if n.IsExported() {
			all = append(all, n.Name)
		}
	}
	return all
}

func exportedReceiver(recv *ast.FieldList) bool {
	name := ""
	ast.Inspect(recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && name == "" {
			name = id.Name
		}
		return name == ""
	})
	return ast.IsExported(name)
}

// mayReadEnvironment are the edges of the program, where values come in, and a place with a reason.
var mayReadEnvironment = []string{
	"cmd", "airflow", "defaults", "airhooktest", "bench",
	"devstack/postgres/fetch.go", // npm's own setting says where npm packages come from
}

// TestCodeTakesWhatItIsGiven: no init, no environment below the edges, no tests that wait
// for real time. In a bubble of testing/synctest sleeping costs nothing and is how time passes.
func TestCodeTakesWhatItIsGiven(t *testing.T) {
	for _, f := range goFiles(t) {
		maySleep := !f.isTest() || slices.Contains(f.imports(), "testing/synctest")
		mayRead := f.isTest() || below(f.path, mayReadEnvironment...)
		ast.Inspect(f.ast, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				if n.Name.Name == "init" && n.Recv == nil {
					t.Errorf("%s: func init: let main hand the value in", f.path)
				}
			case *ast.SelectorExpr:
				switch name := qualified(n); {
				case !maySleep && name == "time.Sleep":
					t.Errorf("%s: time.Sleep: wait for a signal, or use testing/synctest", at(n))
				case !mayRead && slices.Contains([]string{"os.Getenv", "os.LookupEnv", "os.Environ"}, name):
					t.Errorf("%s: %s: take the value as an argument; only cmd, airflow, defaults and airhooktest read the environment", at(n), name)
				}
			}
			return true
		})
	}
}

func qualified(s *ast.SelectorExpr) string {
	if id, ok := s.X.(*ast.Ident); ok {
		return id.Name + "." + s.Sel.Name
	}
	return ""
}

func at(n ast.Node) token.Position {
	p := fileSet.Position(n.Pos())
	p.Filename = strings.TrimPrefix(p.Filename, top+"/")
	return p
}
