package defaults

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/airhook-go/airhook"
)

// devStack is what a running dev stack writes down for those who want to reach it.
type devStack struct {
	DialMap map[string]string `json:"dial_map"`
	CAFile  string            `json:"ca_file"`
}

// devRoute reaches the endpoints of a running dev stack by its dial map, and trusts its CA there and nowhere else. It
// applies only when AIRHOOK_DEV_DIR is set, and only to loopback addresses: a file can't send a real endpoint's login
// to another machine. A stack that can't be read routes nothing, and the log says so once.
func devRoute(dir string, logger *slog.Logger) func(string, int) (airhook.Route, bool) {
	if dir == "" {
		return nil
	}
	var once sync.Once
	return func(host string, port int) (airhook.Route, bool) {
		route, ok, err := readRoute(filepath.Join(dir, "stack.json"), net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil && logger != nil {
			once.Do(func() { logger.Warn("AIRHOOK_DEV_DIR is set and its dev stack is not used", slog.Any("err", err)) })
		}
		return route, ok
	}
}

func readRoute(file, endpoint string) (airhook.Route, bool, error) {
	var none airhook.Route
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return none, false, fmt.Errorf("no dev stack runs in %s", filepath.Dir(file))
	}
	if err != nil {
		return none, false, err
	}
	var stack devStack
	if err := json.Unmarshal(text, &stack); err != nil {
		return none, false, fmt.Errorf("%s is no description of a dev stack: %w", file, err)
	}
	address, ok := stack.DialMap[endpoint]
	if !ok {
		return none, false, nil
	}
	at, err := netip.ParseAddrPort(address)
	if err != nil || !at.Addr().IsLoopback() {
		return none, false, fmt.Errorf("%s sends %s to %q, which is no loopback address", file, endpoint, address)
	}
	pem, err := os.ReadFile(stack.CAFile)
	if err != nil {
		return none, false, fmt.Errorf("the dev stack's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return none, false, fmt.Errorf("the dev stack's CA: no certificate in %s", stack.CAFile)
	}
	return airhook.Route{Address: address, Roots: roots}, true, nil
}
