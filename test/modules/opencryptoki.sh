#!/bin/sh
# Sets up opencryptoki's soft token in the directory $1 and runs a command with
# it. Its directories are fixed, so this runs in mount and IPC namespaces of its
# own, and the machine's opencryptoki stays as it is.
set -eu

base=$1
shift
mount --make-rprivate /
mkdir -p "$base/etc" "$base/lib/swtok/TOK_OBJ" "$base/lock/swtok"
cp -p /etc/opencryptoki/* "$base/etc/" # newer versions want strength.conf
printf 'version opencryptoki-3.1\nslot 0\n{\nstdll = libpkcs11_sw.so\n}\n' >"$base/etc/opencryptoki.conf"
chgrp -R pkcs11 "$base/lib" "$base/lock"
chmod -R 770 "$base/lib" "$base/lock"
mount --bind "$base/etc" /etc/opencryptoki
mount --bind "$base/lib" /var/lib/opencryptoki
mount -t tmpfs tmpfs /run
mkdir -p /run/lock/opencryptoki
# Newer slot managers have a user and a directory of their own, and leave the
# foreground if they have to change the user themselves.
files=/run/pkcsslotd
export TOKEN_MANAGER="pkcsslotd -f"
if id pkcsslotd >/dev/null 2>&1; then
	mkdir /run/opencryptoki
	chown pkcsslotd:pkcs11 /run/opencryptoki
	files=/run/opencryptoki/pkcsslotd
	TOKEN_MANAGER="setpriv --reuid pkcsslotd --regid pkcs11 --clear-groups pkcsslotd -f"
fi
export TOKEN_SOCKET="$files.socket"
mount --bind "$base/lock" /run/lock/opencryptoki
mount -t tmpfs tmpfs /dev/shm

# shellcheck disable=SC2086 # words
$TOKEN_MANAGER &
manager=$!
tries=0
until [ -S "$TOKEN_SOCKET" ]; do
	tries=$((tries + 1))
	[ "$tries" -lt 300 ] || { echo "pkcsslotd made no socket within a minute" >&2; exit 1; }
	sleep 0.2
done
echo "$TOKEN_LABEL" | pkcsconf -c 0 -I -S 87654321
pkcsconf -c 0 -P -S 87654321 -n 11223344
pkcsconf -c 0 -u -S 11223344 -n 55555555
pkcsconf -c 0 -p -U 55555555 -n "$TOKEN_PIN"
# The command starts a slot manager of its own, to stop it and start it again.
kill "$manager"
wait "$manager" || true
rm -f "$TOKEN_SOCKET" "$files.pid"
# A worker has no capabilities, so even root's needs the group.
exec setpriv --groups "0,$(getent group pkcs11 | cut -d: -f3)" "$@"
