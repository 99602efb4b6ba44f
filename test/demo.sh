#!/bin/sh
# Runs `make demo`: starts a daemon, gets an assertion, verifies it, and shows two
# refusals. Needs bin/assertd, bin/assertctl, and SoftHSM; leaves nothing running.
set -eu
cd "$(dirname "$0")/.."

dir=.demo
socket=$dir/assertd.sock
assertctl="bin/assertctl --socket $socket"

bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
	bold=$(printf '\033[1m') plain=$(printf '\033[0m')
fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
show() { printf '  $ %s\n' "$*"; }

# await TEXT: wait until TEXT is in the daemon's log.
await() {
	tries=0
	until grep -q "$1" $dir/log; do
		tries=$((tries + 1))
		if [ $tries -gt 150 ] || ! kill -0 $daemon 2>/dev/null; then
			cat $dir/log
			echo "not in the daemon's log: $1" >&2
			exit 1
		fi
		sleep 0.2
	done
}

# set_rate WINDOW: change the rate limit of the example grant.
set_rate() { sed -i "s/rate: .*/rate: [{$1}]/" $dir/assertd.yaml; }

say "1. Start the daemon with a new SoftHSM token (in $dir)"
show bin/assertd dev --dir $dir
mkdir -p $dir
[ ! -e $dir/assertd.yaml ] || set_rate 'limit: 10000, per: 1s' # an earlier demo lowered it
: >$dir/log
bin/assertd dev --dir $dir >$dir/log 2>&1 &
daemon=$!
trap 'kill $daemon 2>/dev/null; wait $daemon 2>/dev/null || true' EXIT
trap 'exit 1' HUP INT PIPE TERM # such as `make demo | head`: the daemon ends too
await 'assertd is ready'
await 'worker: ready: .*worker=1' # SoftHSM hides the token from other programs while a worker logs in
echo "  ready: the private key is on the token and cannot be exported"

say "2. Get an assertion: the daemon writes the claims, the HSM signs them"
show $assertctl assert --decode
$assertctl assert --decode | sed 's/^/  /'

say "3. Verify a new one with the public JWKS, as an authorization server would"
show "bin/assertd jwks --config $dir/assertd.yaml > $dir/jwks.json"
bin/assertd jwks --config $dir/assertd.yaml >$dir/jwks.json
show "$assertctl assert | $assertctl verify --jwks $dir/jwks.json --audience https://as.example"
$assertctl assert | $assertctl verify --jwks $dir/jwks.json --audience https://as.example | sed 's/^/  /'

# refused CODE COMMAND: run a command that must exit with CODE, and show its error.
refused() {
	want=$1
	shift
	set +e
	said=$("$@" 2>&1 >/dev/null)
	code=$?
	set -e
	echo "  $said"
	echo "  exit code $code"
	[ "$code" -eq "$want" ] || { echo "expected exit code $want" >&2; exit 1; }
}

say "4. Ask for an audience that is not in the policy: refused"
show $assertctl assert --audience https://evil.example
refused 3 $assertctl assert --audience https://evil.example

say "5. Lower the rate limit, reload, and exceed it: refused"
set_rate 'limit: 3, per: 1m'
show "kill -HUP $daemon   # after: rate: [{limit: 3, per: 1m}]"
kill -HUP $daemon
await 'reloaded'
show "$assertctl assert   # four times"
for _ in 1 2 3; do $assertctl assert >/dev/null; done
refused 4 $assertctl assert

say "Done. Every decision is in $dir/audit.jsonl. The last one:"
tail -n 1 $dir/audit.jsonl | sed 's/^/  /'

say "Try next:"
cat <<E2
  bin/assertd dev                        # a daemon of your own; it prints what to do
  bin/assertd explain --config .demo/assertd.yaml --user $(id -un)
                                         # who may have what signed, and why
  bin/assertd audit verify .demo/audit.jsonl
                                         # the decisions above, proven in order
E2
