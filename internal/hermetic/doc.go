// Package hermetic makes pgx configs that owe nothing to the process's environment. pgx insists on parsing configs
// itself, and reads the PG* variables, ~/.pgpass and ~/.postgresql while it does, even when every setting is given.
//
//	config, err := hermetic.Config()
//	config.ConnConfig.Host = "db.example.com"
//	hermetic.Apply(&config.ConnConfig.Config, map[string]string{"channel_binding": "require"})
package hermetic
