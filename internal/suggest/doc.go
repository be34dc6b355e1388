// Package suggest finds what somebody may have meant by a misspelt word.
//
//	suggest.Nearest("warehuose", []string{"lake", "warehouse"}) // ["warehouse"]
package suggest
