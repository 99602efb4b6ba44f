#!/bin/bash
# Runs the commands of a page of the documentation as a person does: as they are
# written, in their order, at a terminal. test/docs/doc.go explains the marks before
# the blocks.
#   walk.sh PAGE
set -euo pipefail
page=$1
state=$(mktemp -d)
: >"$state/environment"
background=
end() {
	[ -z "$background" ] || kill -TERM -- "-$background" || true
	rm -rf "$state"
}
trap end EXIT

awk -v dir="$state" '
	/^```sh$/ {
		name = sprintf("%s/%03d", dir, ++n)
		gsub(/^<!-- | -->$/, "", before)
		print before >(name ".mark")
		inside = 1
		next
	}
	/^```$/ { inside = 0 }
	inside { print >(name ".sh") }
	{ before = $0 }
' "$page"

# at_terminal WANT TYPED...: runs $block, which must exit with WANT. Variables carry
# over to the next block.
at_terminal() {
	want=$1
	shift
	printf '. %s/environment\nset -e\n%s\nexport -p >%s/environment\n' "$state" "$(cat "$block")" "$state" >"$state/run"
	code=0
	{ [ $# -eq 0 ] || printf '%s\n' "$@"; } | script -qec "bash $state/run" /dev/null || code=$?
	[ "$code" -eq "$want" ] || {
		echo "FAILED: $page: exit code $code, want $want"
		exit 1
	}
}

in_background() {
	setsid bash "$block" >"$state/log" 2>&1 &
	background=$!
	for _ in $(seq 600); do
		ready=$(curl -sf --unix-socket .assertd/assertd.sock http://assertd/v1/ready) && ! grep -q '"state":"[^r]' <<<"$ready" && return
		sleep 0.2
	done
	cat "$state/log"
	echo "FAILED: $page: not ready: $(cat "$block")"
	exit 1
}

for file in "$state"/*.mark; do
	mark=$(cat "$file") block=${file%.mark}.sh
	[ "$mark" != "not runnable here" ] || continue
	sed 's/^/$ /' "$block"
	case $mark in
	"run in the background") in_background ;;
	"run, exit code "*) at_terminal "${mark##* }" ;;
	"run" | "run by make dist-test") at_terminal 0 ;;
	"run by make dist-test, typing "*)
		read -ra typed <<<"${mark#*typing }"
		at_terminal 0 "${typed[@]}"
		;;
	*) echo "FAILED: $page: a block with the mark $mark" && exit 1 ;;
	esac
done
