#!/bin/sh
# Runs the checks of `make lint`. All of them run even if one fails; the last
# line lists the failures.
set -u
cd "$(dirname "$0")/.." || exit 1
failed=

check() { # NAME COMMAND...
	name=$1
	shift
	printf '%-28s' "$name"
	if out=$("$@" 2>&1); then
		echo ok
	else
		echo FAILED
		printf '%s\n' "$out" | sed 's/^/    /'
		failed="$failed $name"
	fi
}

formatted() { list=$(git ls-files -z '*.go' | xargs -0 gofmt -l) && [ -z "$list" ] || { echo "not formatted: $list"; return 1; }; }
scripts() { git ls-files -z '*.sh' deploy/packaging/scripts | xargs -0 shellcheck --severity=warning; }
modules() { git ls-files '*go.mod' | xargs -n 1 dirname; }
# The servers of make kubernetes-test are left out: go mod tidy would download
# all of Kubernetes, and a build fails anyway if go.mod lacks something.
tidy() {
	for module in $(modules | grep -v '^test/apiserver/binaries$'); do
		go -C "$module" mod tidy -diff || { echo "run: go -C $module mod tidy"; return 1; }
	done
}
vetted() {
	for module in $(modules); do
		[ -z "$(git ls-files "$module/*.go")" ] || (cd "$module" && go vet ./...) || return 1
	done
}
# These tests compare generated files with their sources; -update rewrites them.
generated() { go test ./internal/config ./internal/metrics ./signer/profile ./ipc; }
tools() { go -C test/tools build -o "$PWD/bin/tools/" tool; }
# govulncheck needs a database: the one online, or a copy of it that VULNDB
# names, as a URL (file:///srv/vulndb). Not reaching the one online is not a
# failure.
vulnerabilities() {
	out=$(bin/tools/govulncheck ${VULNDB:+-db "$VULNDB"} ./... 2>&1) && return
	[ -z "${VULNDB:-}" ] || { printf '%s\n' "$out"; return 1; }
	case $out in
	*"fetching vulnerabilities"*) unreachable=1 ;;
	*) printf '%s\n' "$out"; return 1 ;;
	esac
}

check gofmt formatted
check 'go vet' vetted
check 'go mod tidy' tidy
check 'generated files' generated
check 'shell scripts' scripts
check 'build the tools' tools
check staticcheck bin/tools/staticcheck ./...
check 'staticcheck, no cgo' env CGO_ENABLED=0 bin/tools/staticcheck ./client/... ./ipc/... ./jwks/... ./signer/... ./cmd/assertctl
printf '%-28s' govulncheck
unreachable=
if vulnerabilities; then
	if [ -n "$unreachable" ]; then echo 'not run: cannot reach its database (vuln.go.dev); name a copy with VULNDB'; else echo ok; fi
else
	failed="$failed govulncheck"
fi

[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
