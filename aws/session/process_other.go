//go:build !unix

package session

import "os/exec"

// killTogether leaves it at the command itself: there are no process groups here.
func killTogether(*exec.Cmd) {}
