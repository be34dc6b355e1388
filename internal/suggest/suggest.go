package suggest

import (
	"slices"
	"strings"
)

// longest is the number of bytes of a word that anybody would misspell; comparing takes the product of two lengths.
const longest = 100

// Short is a word as a message can hold it: its beginning, when it is a long one.
func Short(word string) string {
	if len(word) <= longest {
		return word
	}
	return strings.ToValidUTF8(word[:longest], "") + "…"
}

// Nearest returns up to three of the known words that are close to word, the closest first.
func Nearest(word string, known []string) []string {
	type scored struct {
		word string
		far  int
	}
	var close []scored
	for _, k := range known {
		if max(len(word), len(k)) > longest {
			continue
		}
		far := distance(strings.ToLower(word), strings.ToLower(k))
		if far <= max(1, len(word)/3) || len(word) > 2 && strings.HasPrefix(strings.ToLower(k), strings.ToLower(word)) {
			close = append(close, scored{k, far})
		}
	}
	slices.SortStableFunc(close, func(a, b scored) int { return a.far - b.far })
	var words []string
	for _, s := range close[:min(3, len(close))] {
		words = append(words, s.word)
	}
	return words
}

// distance is the optimal string alignment distance: edits and swaps of neighbours.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
