package defaults

import (
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/airhook-go/airhook"
	"github.com/airhook-go/airhook/internal/endpoint"
	"github.com/airhook-go/airhook/internal/files"
)

// devStack is what a running dev stack writes down for those who want to reach it.
type devStack struct {
	DialMap map[string]string `json:"dial_map"`
}

// devRoute reaches the endpoints of a running dev stack by its dial map, and trusts its CA there and nowhere else. It
// applies only when AIRHOOK_DEV_DIR is set, and only to loopback addresses: a file can't send a real endpoint's login
// to another machine. Nor can another user, whose server might be on loopback: the folder must be ours alone to write to.
// A stack that has ended or can't be read routes nothing, and warn hears why, once.
func devRoute(dir string, warn func(text string)) func(string, int) (airhook.Route, bool) {
	if dir == "" {
		return nil
	}
	if absolute, err := filepath.Abs(dir); err == nil { // the program may change its folder; an error shows when it is read
		dir = absolute
	}
	var said sync.Map
	return func(host string, port int) (airhook.Route, bool) {
		route, ok, err := readRoute(dir, host, port)
		if err != nil {
			if _, again := said.LoadOrStore(err.Error(), true); !again {
				warn(err.Error())
			}
		}
		return route, ok
	}
}

func readRoute(dir, host string, port int) (airhook.Route, bool, error) {
	var none airhook.Route
	stack, err := readStack(dir)
	if err != nil {
		return none, false, notUsed(err)
	}
	at := net.JoinHostPort(host, strconv.Itoa(port))
	address, ok := stack.DialMap[at]
	if !ok {
		return none, false, stack.otherPort(dir, host, port)
	}
	local, err := netip.ParseAddrPort(address)
	if err != nil || !local.Addr().IsLoopback() {
		return none, false, fmt.Errorf("the dev stack in %s sends %s to %q, which is no loopback address", dir, at, address)
	}
	ca := filepath.Join(dir, "ca.pem") // whatever ca_file says: what lies elsewhere is not the stack's
	pem, err := files.ReadOwn(ca)
	if err != nil {
		return none, false, fmt.Errorf("the dev stack's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return none, false, fmt.Errorf("the dev stack's CA: no certificate in %s", ca)
	}
	return airhook.Route{Address: address, Roots: roots}, true, nil
}

// devHint makes the hint of a session that did not open what a dev stack tells: AIRHOOK_DEV_DIR names one that has another
// port or has ended, or none is named and the one of the home folder has that host.
func devHint(dir, home string, t airhook.Target, e *airhook.Error) {
	host := endpoint.CanonicalHost(t.Host)
	switch {
	case dir != "" && (e.Stage == airhook.StageDNS || e.Stage == airhook.StageTCP):
		stack, err := readStack(dir)
		if err != nil {
			e.Hint = fmt.Sprintf("%v. Else: %s", notUsed(err), e.Hint)
		} else if other := stack.otherPort(dir, host, t.Port); other != nil {
			e.Hint = other.Error()
		}
	case dir != "":
	case home != "" && host != "":
		if stack, err := readStack(filepath.Join(home, "dev")); err == nil && stack.has(host) {
			e.Hint = fmt.Sprintf(`a dev stack that has this host runs, and this shell doesn't know of it: eval "$(airhook dev env)". Else: %s`, e.Hint)
		}
	}
}

// readStack reads what a stack wrote down. That of a killed one leads nowhere, or to whoever has its ports now.
func readStack(dir string) (devStack, error) {
	var stack devStack
	folder, err := os.Stat(dir)
	if err == nil && !files.Own(folder) {
		return stack, fmt.Errorf("the folder %s belongs to somebody else, or others may write to it (chmod 700 it if it is yours)", dir)
	}
	text, err := files.ReadOwn(filepath.Join(dir, "stack.json"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return stack, fmt.Errorf("none runs in %s (start it: airhook dev up --detach)", dir)
	case err != nil:
		return stack, err
	case !locked(filepath.Join(dir, "airhook-dev.lock")):
		return stack, fmt.Errorf("the one in %s is no longer running (start it again: airhook dev up --detach)", dir)
	}
	if err := json.Unmarshal(text, &stack); err != nil {
		return stack, fmt.Errorf("%s is no description of one: %w", filepath.Join(dir, "stack.json"), err)
	}
	return stack, nil
}

func notUsed(err error) error {
	return fmt.Errorf("AIRHOOK_DEV_DIR is set, and its dev stack is not used: %w", err)
}

// has reports whether a host is the stack's, at whatever port.
func (s devStack) has(host string) bool { return s.otherPort("", host, 0) != nil }

// otherPort is an error when the stack has that host, but at another port: the connection was stored for another one.
func (s devStack) otherPort(dir, host string, port int) error {
	if _, here := s.DialMap[net.JoinHostPort(host, strconv.Itoa(port))]; here {
		return nil
	}
	for endpoint := range s.DialMap {
		if name, at, err := net.SplitHostPort(endpoint); err == nil && name == host {
			return fmt.Errorf("the dev stack in %s has %s at port %s, not %d: set the connection's port to %[3]s", dir, host, at, port)
		}
	}
	return nil
}
