#!/bin/sh
# Runs inside the machine that test.sh boots. Walks the getting-started pages, of
# which the SREs' installs the package, and then tests the unit, with full hardening.
set -eu
conf=/etc/assertd

say() { echo "-- $*"; }
ask() { runuser -u payments -- assertctl assert "$@"; }
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

say "walk getting-started-sre.md"
cd /root
mkdir bin && ln -s /usr/bin/assertd /usr/bin/assertctl bin/ # as in a checkout
bash walk.sh getting-started-sre.md || failed getting-started-sre.md
[ "$(property StatusText)" = ready ] || failed "status text: $(property StatusText)"
main=$(property MainPID)
grep -q 'CapEff:.*0000000000000000' /proc/$main/status || failed "capabilities: $(grep CapEff /proc/$main/status)"
grep -q 'Seccomp:.*2' /proc/$main/status || failed "no system call filter"

say "publish keys and keep budgets, as most sites do"
cat >>$conf/assertd.yaml <<'E2'
jwks: {file: /var/lib/assertd/jwks.json}
budgets: {file: /var/lib/assertd/budgets.json}
E2
systemctl restart assertd.service || failed restart
ask >/dev/null || failed "no assertion"
await test -s /var/lib/assertd/jwks.json

say "only group members can connect, and only clients get assertions"
! setpriv --reuid=daemon --regid=daemon --clear-groups assertctl assert 2>/dev/null || failed "a user outside the group got an assertion"
! setpriv --reuid=daemon --regid=daemon --groups=assertd-callers assertctl assert 2>/dev/null || failed "a user without a grant got an assertion"

say "reload"
main=$(property MainPID)
sed -i 's|https://as.bank-a.example|https://two.example|' $conf/assertd.yaml
systemctl reload assertd.service || failed reload
ask --audience https://two.example >/dev/null || failed "the new policy is not in force after systemctl reload"
[ "$(property MainPID)" = "$main" ] || failed "a reload started a new process"

say "a refused reload is a failure, and the old policy stays"
cp -p $conf/assertd.yaml $conf/good.yaml
echo 'lifetimes: 5m' >>$conf/assertd.yaml
! systemctl reload assertd.service 2>/dev/null || failed "systemctl reload took a wrong configuration for a success"
journalctl --no-pager -o cat -u assertd.service | grep -q 'assertctl:.*lifetimes' || failed "the journal doesn't say why"
ask --audience https://two.example >/dev/null || failed "no assertion after a refused reload"
[ "$(property MainPID)" = "$main" ] || failed "a refused reload started a new process"
[ "$(property ActiveState)" = active ] || failed "the service is $(property ActiveState)"

say "without an operator socket, a reload is only asked for"
sed 's|^operator: .*||' $conf/good.yaml >$conf/assertd.yaml
systemctl restart assertd.service || failed restart
sed -i 's|https://two.example|https://three.example|' $conf/assertd.yaml
systemctl reload assertd.service || failed "reload without an operator socket"
await sh -c 'runuser -u payments -- assertctl assert --audience https://three.example >/dev/null 2>&1'
cp -p $conf/good.yaml $conf/assertd.yaml && rm $conf/good.yaml
systemctl restart assertd.service || failed restart

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

say "walk the other pages, as another user"
useradd --create-home developer
cd /home/developer
cp /root/getting-started-developer.md /root/getting-started-security.md /root/walk.sh .
for page in developer security; do
	# A checkout after make build.
	install -d -o developer $page $page/bin
	ln -s /usr/bin/assertd /usr/bin/assertctl $page/bin/
	ln -s /usr/share/doc/assertd/examples $page/examples
	say "walk getting-started-$page.md"
	(cd $page && runuser -u developer -- bash ../walk.sh ../getting-started-$page.md) || failed "getting-started-$page.md"
done
say "all checks passed"
