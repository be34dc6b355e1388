//go:build !unix

package files

import "io/fs"

// Own leaves it to the access list, which a user's own folders inherit.
func Own(fs.FileInfo) bool { return true }
