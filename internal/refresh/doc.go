// Package refresh keeps one expiring value fresh, such as a token that a database takes for fifteen minutes.
//
//	token := refresh.New(sign, refresh.Options{Name: "rds_postgres_iam"})
//	defer token.Close()
//	t, err := token.Get(ctx)
//
// However many callers ask, one fetch runs; it is asked ahead of expiry, the old value serves while it fails, and who
// gives up waiting does not end it for the others. Nothing runs while nobody asks. Time is the wall clock's: a laptop
// that slept wakes up to an expired token. Whoever hands the value in says what became of it, by [Value.Took] and
// [Value.Drop]: one that worked and is refused is fetched anew at once, one that never did only now and then. A [Group]
// shares values by key.
package refresh
