package session

import "github.com/airhook-go/airhook"

// Check reads an aws connection as Open does and asks nobody: warnings are what a person should look at, an error is
// what Open would refuse.
func Check(conn airhook.Connection) (warnings []string, err error) {
	set, err := read(conn)
	if err != nil {
		return nil, err
	}
	if set.refused != "" {
		set.warnings = append(set.warnings, "a login is refused: "+set.refused)
	}
	return set.warnings, nil
}
