// Package arch holds no code, only tests that keep the map true: who may import whom, what may be in the binary, that
// every package and every exported name says what it is, the size budgets, and that every path named in the documents
// exists.
//
// A failure names the file, the rule and what to do. When a rule is wrong, change it here and in docs/architecture.md
// together, and say why in docs/adr.
package arch
