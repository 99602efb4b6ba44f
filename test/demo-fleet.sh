#!/bin/sh
# Runs `make demo-fleet`: three daemons on one SoftHSM token share a Redis
# server. Needs redis-server, and assertd and assertctl in bin/ or $BIN; works in
# a temporary directory and leaves nothing behind.
set -eu
cd "$(dirname "$0")/.."

bin=${BIN:-bin}
dir=$(mktemp -d)
hosts='one two three'
pids='' store=''

cleanup() {
	code=$?
	trap '' HUP INT PIPE TERM
	# shellcheck disable=SC2086 # a list
	[ -z "$store$pids" ] || kill $pids $store 2>/dev/null || true
	wait
	[ $code -eq 0 ] || cat "$dir"/*.log >&2 || true
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 1' HUP INT PIPE TERM # such as `make demo-fleet | head`

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '  $ %s\n' "$*"; }

fail() { echo "$@" >&2; exit 1; }

# until_true COMMAND: run a command until it succeeds, for about a minute.
until_true() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "still not so after a minute: $*"
		for pid in $pids; do
			kill -0 "$pid" 2>/dev/null || fail "a daemon exited"
		done
		sleep 0.1
	done
}

ctl() { # HOST COMMAND...: assertctl on a host
	host=$1
	shift
	ASSERTD_SOCKET=$dir/$host.sock ASSERTD_OPERATOR_SOCKET=$dir/$host-operator.sock "$bin/assertctl" "$@"
}

sign() { ctl "$1" assert --grant "$2" >/dev/null 2>>"$dir/$1.refused"; }

# drain HOST GRANT: sign until the daemon refuses, and print how often it signed.
drain() {
	signed=0
	while sign "$1" "$2"; do signed=$((signed + 1)); done
	echo $signed
}

# refused HOST CODE GRANT: the last refusal, which must have this code.
refused() {
	! sign "$1" "$3" || return 1
	tail -n 1 "$dir/$1.refused" | grep -F "($2)" >/dev/null
}

# refusal HOST CODE GRANT: wait for a refusal and show it.
refusal() {
	until_true refused "$@"
	tail -n 1 "$dir/$1.refused" | sed "s/^assertctl: \(.*\) (\(.*\))\$/  $1: \2: \1/" | cut -c 1-80
}

# Another server on the port would answer too, so ask for the process.
ours() { redis-cli -p "$port" info server 2>&1 | grep "process_id:$store" >/dev/null; }

start_store() {
	redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no >"$dir/store.log" 2>&1 &
	store=$!
	while kill -0 $store 2>/dev/null; do
		! ours || return 0
		sleep 0.05
	done
	return 1
}

port=16379
until start_store; do
	port=$((port + 1))
	[ $port -lt 16400 ] || fail "redis-server doesn't start"
done

# A token, keys and a configuration, which becomes that of each daemon.
"$bin/assertd" dev --dir "$dir" >"$dir/dev.log" 2>&1 &
pids=$!
until_true grep 'assertd is ready' "$dir/dev.log"
kill "$pids"
wait "$pids"
pids=''
head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$dir/fleet.key"
old=$("$bin/assertd" key list -o json --config "$dir/assertd.yaml" | sed -n 's/.*"signing": "\(.*\)".*/\1/p' | head -n 1)

grant() { # NAME LIMIT
	echo "      - {name: $1, key: dev, profile: private_key_jwt, client_id: $1, audiences: [https://as.example], rate: [{limit: $2, per: 24h, scope: fleet}]}"
}
{
	sed '/^    grants:/q' "$dir/assertd.yaml"
	grant small 60
	grant large 6400
	sed '1,/^    grants:/d' "$dir/assertd.yaml"
	# The deadline is for machines that are busy with other things.
	echo "budgets: {file: \"$dir/HOST-budgets.json\", shared: {addresses: [\"127.0.0.1:$port\"], fleet_key: {file: \"$dir/fleet.key\"}, deadline: 5s}}"
} | sed "s/assertd\.sock/HOST.sock/; s/operator\.sock/HOST-operator.sock/; s/audit\.jsonl/HOST-audit.jsonl/
	s/^  dev: .*/  dev: {alg: ES256, use: assertion, rotation: {publish_before: manual, activate: [$old]}}/" >"$dir/template"
for host in $hosts; do
	sed "s/HOST/$host/" "$dir/template" >"$dir/$host.yaml"
	chmod 600 "$dir/$host.yaml" "$dir/fleet.key"
	"$bin/assertd" serve --config "$dir/$host.yaml" 2>"$dir/$host.log" &
	pids="$pids $!"
done

# all_are STATE: whether all daemons are there and their budgets are in a state.
all_are() {
	for host in $hosts; do
		status=$(ctl "$host" status -o json | tr -d ' \n')
		case $status in
		*'"shared_budgets":{"state":"'"$1"'"'*'"daemons":3,'*) ;;
		*) return 1 ;;
		esac
	done
}
ready() { [ "$(ctl one fleet | grep -c ' ready ')" -eq 3 ]; }

say "1. Three daemons with one SoftHSM token and one Redis server"
show assertctl fleet
for host in $hosts; do
	# SoftHSM hides the token from other programs while a worker logs in.
	until_true grep 'worker: ready: .*worker=1' "$dir/$host.log"
done
until_true ready
until_true all_are shared
ctl one fleet | sed 's/\([0-9a-f]\{10\}\)[0-9a-f]\{54\}/\1../g; s/ \{52\}//g; s/  *VERSION.*//; s/\(\.\.  *[0-9a-f]*\.\.\).*/\1/; s/^/  /' | cut -c 1-80

say "2. They share a limit: rate: [{limit: 60, per: 24h, scope: fleet}]"
for host in $hosts; do drain $host small >"$dir/$host.signed" & drains="${drains:-} $!"; done
for drain in $drains; do wait "$drain"; done
total=0
for host in $hosts; do total=$((total + $(cat "$dir/$host.signed"))); done
echo "  one signed $(cat "$dir/one.signed"), two $(cat "$dir/two.signed"), three $(cat "$dir/three.signed"): $total"
[ $total -le 60 ] || fail "more than the limit"
refusal two rate-limited small

say "3. A freeze on one holds on all; so does the thaw"
show "assertctl freeze --client developer --reason INC-1   # on one"
ctl one freeze --client developer --reason INC-1 >"$dir/freeze.log" 2>&1
refusal three frozen large
until_true refused two frozen large
ctl two thaw --client developer >"$dir/thaw.log" 2>&1
until_true sign three large

say "4. A rotation: one new version on the token, and all sign with it"
show "assertd key generate dev; assertctl reload   # after: activate: [..., KID]"
new=$("$bin/assertd" key generate dev --config "$dir/one.yaml" | sed -n 's/.*kid  *\([^ ]*\).*/\1/p' | head -n 1)
signs_with() { ctl "$1" assert --grant large -o json | grep "\"kid\": \"$2\""; }
for host in $hosts; do
	sed -i "s/activate: \[/&$new, /" "$dir/$host.yaml"
	ctl $host reload >"$dir/$host-reload.log" 2>&1
	until_true signs_with $host "$new"
done
echo "  before: $old"
echo "  after:  $new"

say "5. The server is killed: what is leased is used up, then callers are refused"
for _ in 1 2 3 4 5 6 7 8 9 10; do until_true sign one large; done
kill -KILL $store
wait $store 2>/dev/null || true
store=''
echo "  one signed $(drain one large) more"
refusal one budget-unavailable large

say "6. It comes back empty: the daemons tell it what they used"
start_store || fail "redis-server doesn't start again"
until_true all_are shared
until_true sign one large
refusal two rate-limited small
say "Done; nothing is left running. See docs/fleet.md."
