// Package airhooktest helps tests, ours and users': registries in memory, a real PostgreSQL with a database per test, a
// scripted PostgreSQL for failures, and the contracts that every Registry and Login keeps.
//
//	func TestMain(m *testing.M) { airhooktest.Main(m) }
//
//	func TestReport(t *testing.T) {
//		client := airhooktest.Client(t, airhooktest.Postgres(t))
//		rows, err := hook.New(client, airhooktest.ID).GetRecords(t.Context(), "SELECT 1")
//		…
//	}
//
// It imports testing, so only tests may import it. AWS's side is the package devstack's.
package airhooktest
