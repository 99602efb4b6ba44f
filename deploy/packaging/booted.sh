#!/bin/sh
# Runs inside the machine that test.sh boots. Tests the installed unit, with full
# hardening, on a SoftHSM token.
set -eu
conf=/etc/assertd

say() { echo "-- $*"; }
ask() { setpriv --reuid=nobody --regid=nogroup --groups=assertd-callers assertctl --socket /run/assertd/assertd.sock assert "$@"; }
property() { systemctl show -P "$1" assertd.service; }
failed() {
	echo "FAILED: $*"
	systemctl status --no-pager assertd.service || true
	journalctl --no-pager -o cat -u assertd.service | tail -n 30
	exit 1
}
# await COMMAND: retries for at most 20 seconds
await() {
	tries=0
	until "$@"; do
		tries=$((tries + 1))
		[ $tries -lt 100 ] || failed "$*"
		sleep 0.2
	done
}

say "provision a token, as an operator does"
tokens=/var/lib/assertd/tokens
install -d -m 700 /var/lib/assertd $tokens
printf 'directories.tokendir = %s\nobjectstore.backend = file\nslots.removable = false\n' $tokens >$conf/softhsm2.conf
export SOFTHSM2_CONF=$conf/softhsm2.conf
softhsm2-util --init-token --free --label prod --so-pin 12345678 --pin 87654321 >/dev/null
(umask 077 && echo 87654321 >$conf/pin)
cat >$conf/assertd.yaml <<'E2'
hsm:
  module: /usr/lib/softhsm/libsofthsm2.so
  token: {label: prod}
  pin: {credential: pin}
  environment: {SOFTHSM2_CONF: /etc/assertd/softhsm2.conf}
keys: {payments: {alg: ES256, use: assertion}}
clients:
  - name: nobody
    match: {user: nobody}
    grants: [{name: bank, key: payments, profile: private_key_jwt, client_id: c, audiences: [https://as.example]}]
listen: [{socket: /run/assertd/assertd.sock, mode: "0660", group: assertd-callers}]
jwks: {file: /var/lib/assertd/jwks.json}
budgets: {file: /var/lib/assertd/budgets.json}
operator: {socket: /run/assertd/operator.sock}
audit: {file: /var/log/assertd/audit.jsonl}
E2
chgrp assertd $conf/assertd.yaml $conf/softhsm2.conf
chmod 640 $conf/assertd.yaml $conf/softhsm2.conf
assertd key generate payments --pin-file $conf/pin
chown -R assertd: /var/lib/assertd # SoftHSM's token is files; a real token needs no chown

say "start"
systemctl start assertd.socket assertd.service || failed start
[ "$(property StatusText)" = serving ] || failed "status text: $(property StatusText)"
ask --decode || failed "no assertion"
test -s /var/lib/assertd/jwks.json
main=$(property MainPID)
grep -q 'CapEff:.*0000000000000000' /proc/$main/status || failed "capabilities: $(grep CapEff /proc/$main/status)"
grep -q 'Seccomp:.*2' /proc/$main/status || failed "no system call filter"

say "only group members can connect, and only clients get assertions"
! setpriv --reuid=daemon --regid=daemon --clear-groups assertctl --socket /run/assertd/assertd.sock assert 2>/dev/null || failed "a user outside the group got an assertion"
! setpriv --reuid=daemon --regid=daemon --groups=assertd-callers assertctl --socket /run/assertd/assertd.sock assert 2>/dev/null || failed "a user without a grant got an assertion"

say "reload"
sed -i 's|https://as.example|https://two.example|' $conf/assertd.yaml
systemctl reload assertd.service
await sh -c "$(command -v setpriv) --reuid=nobody --regid=nogroup --groups=assertd-callers assertctl --socket /run/assertd/assertd.sock assert --audience https://two.example >/dev/null 2>&1"
[ "$(property MainPID)" = "$main" ] || failed "a reload started a new process"

say "logrotate: the audit log is reopened, and nothing else happens"
main=$(property MainPID)
mv /var/log/assertd/audit.jsonl /var/log/assertd/audit.jsonl-1
systemctl kill --signal=SIGUSR1 --kill-who=main assertd.service
await test -e /var/log/assertd/audit.jsonl
[ "$(property MainPID)" = "$main" ] || failed "SIGUSR1 ended the process"
ask >/dev/null || failed "no assertion after SIGUSR1"

say "restart: callers wait on the socket instead of failing"
(while [ ! -e /run/restarted ]; do ask >/dev/null || echo refused; done) >/run/refusals 2>&1 &
systemctl restart assertd.service || failed restart
touch /run/restarted
wait $!
[ ! -s /run/refusals ] || failed "callers were refused during the restart: $(head -n 3 /run/refusals)"

say "the watchdog replaces a daemon that hangs"
mkdir -p /run/systemd/system/assertd.service.d
printf '[Service]\nWatchdogSec=2s\n' >/run/systemd/system/assertd.service.d/watchdog.conf
systemctl daemon-reload
systemctl restart assertd.service
main=$(property MainPID)
kill -STOP "$main"
await sh -c "[ \"\$(systemctl show -P MainPID assertd.service)\" != $main ] && [ \"\$(systemctl is-active assertd.service)\" = active ]"
ask >/dev/null || failed "no assertion after the watchdog"

say "a refused PIN is not retried"
(umask 077 && echo 00000000 >$conf/pin)
! systemctl restart assertd.service 2>/dev/null || failed "it started with a wrong PIN"
sleep 5 # longer than RestartSec
[ "$(property ExecMainStatus)" = 4 ] || failed "exit status $(property ExecMainStatus), want 4"
[ "$(property ActiveState)" = failed ] || failed "systemd restarted it"

say "stop"
(umask 077 && echo 87654321 >$conf/pin)
systemctl reset-failed assertd.service
systemctl start assertd.service
systemctl stop assertd.socket assertd.service
[ "$(property Result)" = success ] || failed "stop result: $(property Result)"
assertd audit verify /var/log/assertd/audit.jsonl || failed "the audit log does not verify"
say "all checks passed"
