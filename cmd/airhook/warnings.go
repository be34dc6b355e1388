package main

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// warnings is the log of who asked for none: each record a line for people, as every other warning is. It has no groups.
type warnings struct {
	app   *app
	attrs []slog.Attr
}

// Enabled takes what somebody should look at, also of those who want it quiet.
func (w warnings) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

// Handle writes the message, the reason after a colon and the rest in brackets.
func (w warnings) Handle(_ context.Context, r slog.Record) error {
	text, rest := r.Message, []string(nil)
	add := func(a slog.Attr) bool {
		switch a.Key {
		case "err", "why":
			text += ": " + a.Value.String()
		default:
			rest = append(rest, fmt.Sprintf("%s %s", a.Key, a.Value))
		}
		return true
	}
	for _, a := range w.attrs {
		add(a)
	}
	r.Attrs(add)
	w.app.warn("%s", because(text, strings.Join(rest, ", ")))
	return nil
}

// WithAttrs returns the log with attributes for each record.
func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	w.attrs = append(w.attrs[:len(w.attrs):len(w.attrs)], attrs...)
	return w
}

// WithGroup leaves out the group's name.
func (w warnings) WithGroup(string) slog.Handler { return w }
