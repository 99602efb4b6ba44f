#!/bin/sh
# Puts Debian's promtool in a directory if it is not there yet. The package is
# only unpacked: installing it would start a Prometheus server on this machine.
#
#   test/promtool.sh DIRECTORY
set -eu

target=$1/promtool
[ -x "$target" ] && exit 0
mkdir -p "$1"
if installed=$(command -v promtool); then
	ln -sf "$installed" "$target"
	exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
# Run as root, apt downloads as _apt, which must be able to write here.
chmod 0755 "$work"
[ "$(id -u)" -ne 0 ] || chown _apt "$work" 2>/dev/null || true
echo "unpacking promtool"
apt-get download -q prometheus >apt.log 2>&1 || {
	as_root=
	[ "$(id -u)" -eq 0 ] || as_root=sudo
	$as_root apt-get update -q >>apt.log 2>&1 || true
	apt-get download -q prometheus >>apt.log 2>&1 || { cat apt.log >&2; exit 1; }
}
dpkg-deb --fsys-tarfile prometheus_*.deb | tar -x ./usr/bin/promtool
cd - >/dev/null
mv "$work/usr/bin/promtool" "$target"
