#!/bin/sh
# Makes sure that this machine has what `make test` needs, and says what it does about what is missing:
#   a C compiler (go test -race), PostgreSQL 13 or newer with psql, Python 3.10 or newer with the drivers of
#   devstack/clients/testdata/requirements.txt in .venv-test, a JDK 17 or newer with the drivers of jars.sha256 in .jars-test.
# On Debian and Ubuntu it installs packages with apt-get (with sudo, when not root); elsewhere it says what to install.
set -eu
cd "$(dirname "$0")/.."
venv=.venv-test # by this name ours alone: a .venv is the developer's own
pins=devstack/clients/testdata/requirements.txt # every version and hash
jars=.jars-test
sums=devstack/clients/testdata/jars.sha256 # the jars by their paths in Maven Central
central=${MAVEN_CENTRAL:-https://repo1.maven.org/maven2}

has() { command -v "$1" >/dev/null 2>&1; }

# `go env CC` may be clang or a path; -race needs that one, whatever it is.
has_compiler() { has "$(go env CC | cut -d' ' -f1)"; }

has_server() {
	has initdb && return 0
	for dir in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin /usr/local/opt/postgresql@*/bin \
		/Applications/Postgres.app/Contents/Versions/*/bin; do
		[ -x "$dir/initdb" ] && return 0
	done
	return 1
}

# python3 of a Debian without python3-venv has the module venv, but not ensurepip.
has_python() { has python3 && python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; }

# macOS has a javac that only says where to get one.
has_java() { has javac && javac -version >/dev/null 2>&1 && [ "$(javac -version 2>&1 | sed 's/^javac \([0-9]*\).*/\1/')" -ge 17 ]; }

missing() {
	has_compiler || echo gcc libc6-dev
	has_server || echo postgresql
	has psql || echo postgresql-client
	has_python || echo python3 python3-venv
	has_java || echo default-jdk-headless
	has curl || echo curl ca-certificates
}

explain() {
	echo "make test needs, and this machine lacks:" >&2
	has_compiler || echo "  a C compiler, for go test -race (Xcode's command line tools, or gcc)" >&2
	has_server || echo "  PostgreSQL 13 or newer: initdb and postgres (macOS: brew install postgresql@17)" >&2
	has psql || echo "  psql (macOS: brew install libpq, then put its bin on PATH)" >&2
	has_python || echo "  Python 3.10 or newer with venv" >&2
	has_java || echo "  a JDK 17 or newer (macOS: brew install openjdk, then put its bin on PATH)" >&2
	has curl || echo "  curl" >&2
	echo "make unit needs none of them." >&2
	exit 1
}

install() {
	has apt-get || explain
	sudo=
	if [ "$(id -u)" != 0 ]; then
		has sudo || explain
		sudo=sudo
		[ -t 0 ] || sudo="sudo -n"
	fi
	echo "make test: installing $* with apt-get" >&2
	$sudo apt-get update -q </dev/null >&2 || echo "apt-get update failed; trying with the lists that are here" >&2
	$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@" </dev/null >&2 || explain
}

drivers() {
	stamp=$venv/requirements.txt # written last: a copy of what is installed
	cmp -s "$pins" "$stamp" && "$venv/bin/python" -c '' 2>/dev/null && return 0
	echo "make test: putting the Python drivers of $pins into $venv" >&2
	rm -rf "$venv"
	python3 -m venv "$venv"
	if ! "$venv/bin/python" -m pip install -q --disable-pip-version-check --no-input -r "$pins" </dev/null >&2; then
		echo "make test: PyPI gave no drivers (see above); check the network or pip's configuration, then try again" >&2
		exit 1
	fi
	cp "$pins" "$stamp"
}

checked() { (cd "$1" && if has sha256sum; then sha256sum -c --quiet -; else shasum -a 256 -c --quiet -; fi) <"$sums"; }

jdbc() {
	cmp -s "$sums" "$jars/jars.sha256" && return 0
	echo "make test: putting the JDBC drivers of $sums into $jars" >&2
	rm -rf "$jars"
	while read -r _ path; do
		mkdir -p "$jars/$(dirname "$path")"
		if ! curl -fsSL --retry 3 -o "$jars/$path" "$central/$path" </dev/null; then
			echo "make test: Maven Central gave no $path (see above); check the network, then try again" >&2
			exit 1
		fi
	done <"$sums"
	checked "$jars" || { echo "make test: a file of $jars is not the one that $sums names" >&2; exit 1; }
	cp "$sums" "$jars/"
}

packages=$(missing)
# shellcheck disable=SC2086 # a list of words
[ -z "$packages" ] || install $packages
[ -z "$(missing)" ] || explain
drivers
jdbc
