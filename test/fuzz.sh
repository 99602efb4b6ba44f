#!/bin/sh
# Runs each fuzz target of this module for FUZZTIME (default 60s), one after
# another. All run even if one fails; the last line lists the failures. With an
# argument it runs only the targets whose names match it.
set -u
cd "$(dirname "$0")/.." || exit 1
pattern=${1:-.}
failed=
count=0

for target in $(git ls-files -co --exclude-standard '*_test.go' | xargs grep -o '^func Fuzz[A-Za-z0-9]*' | sed 's/:func /:/' | sort | grep -E "$pattern"); do
	package=./$(dirname "${target%%:*}")
	name=${target##*:}
	count=$((count + 1))
	printf '%-32s%-24s' "$package" "$name"
	if out=$(go test "$package" -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-60s}" 2>&1); then
		printf '%s\n' "$out" | sed -n 's/.*\(execs: [0-9]*\).*/\1/p' | tail -n 1
	else
		echo FAILED
		printf '%s\n' "$out" | sed 's/^/    /'
		failed="$failed $package/$name"
	fi
done
echo "$count fuzz targets"
[ -z "$failed" ] || { echo "failed:$failed" >&2; exit 1; }
[ "$count" -gt 0 ] || { echo "no fuzz target matches $pattern" >&2; exit 1; }
