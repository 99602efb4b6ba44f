#!/bin/sh
# Sets up opencryptoki's soft token in the directory $1 and runs a command with
# it. Its directories are fixed, so this runs in mount and IPC namespaces of its
# own, and the machine's opencryptoki stays as it is.
set -eu

base=$1
shift
mount --make-rprivate /
mkdir -p "$base/etc" "$base/lib/swtok/TOK_OBJ" "$base/lock/swtok"
printf 'version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n' >"$base/etc/opencryptoki.conf"
chgrp -R pkcs11 "$base/lib" "$base/lock"
chmod -R 770 "$base/lib" "$base/lock"
mount --bind "$base/etc" /etc/opencryptoki
mount --bind "$base/lib" /var/lib/opencryptoki
mount -t tmpfs tmpfs /run
mkdir -p /run/lock/opencryptoki
mount --bind "$base/lock" /run/lock/opencryptoki
mount -t tmpfs tmpfs /dev/shm

pkcsslotd
tries=0
until [ -S /run/pkcsslotd.socket ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] || { echo "pkcsslotd made no socket within a minute" >&2; exit 1; }
	sleep 0.2
done
echo "$TOKEN_LABEL" | pkcsconf -c 0 -I -S 87654321
pkcsconf -c 0 -P -S 87654321 -n 11223344
pkcsconf -c 0 -u -S 11223344 -n 55555555
pkcsconf -c 0 -p -U 55555555 -n "$TOKEN_PIN"
# The command starts a slot manager of its own, to stop it and start it again.
manager=$(cat /run/pkcsslotd.pid)
kill "$manager"
while kill -0 "$manager" 2>/dev/null; do sleep 0.1; done
rm -f /run/pkcsslotd.socket /run/pkcsslotd.pid
exec "$@"
