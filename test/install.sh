#!/bin/sh
# Installs the Debian packages named as arguments, as root or with sudo. If none
# is missing it does nothing, so a second run is fast and needs no network.
set -eu

missing=
for package in "$@"; do
	dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" -ne 0 ]; then
	command -v sudo >/dev/null || { echo "missing:$missing; install them as root, or install sudo" >&2; exit 1; }
	as_root=sudo
fi
echo "installing:$missing"
# Tests run sshd themselves. Nobody asked for a server on the network.
case "$missing " in *" openssh-server "*)
	[ -e /etc/systemd/system/ssh.service ] || {
		echo "masking ssh.service; to use it: systemctl unmask ssh"
		$as_root mkdir -p /etc/systemd/system
		$as_root ln -s /dev/null /etc/systemd/system/ssh.service
	} ;;
esac
export DEBIAN_FRONTEND=noninteractive
# $missing is a list of package names: let it split.
# shellcheck disable=SC2086
$as_root apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 ||
	{ $as_root apt-get update -q && $as_root apt-get install -y -q --no-install-recommends $missing; }
