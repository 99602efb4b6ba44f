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
# Tests run these servers themselves. Nobody asked for one on the network.
for package in openssh-server redis-server redis-sentinel; do
	service=$package.service
	[ $package = openssh-server ] && service=ssh.service
	case "$missing " in *" $package "*)
		[ -e "/etc/systemd/system/$service" ] || {
			echo "masking $service; to use it: systemctl unmask ${service%.service}"
			$as_root mkdir -p /etc/systemd/system
			$as_root ln -s /dev/null "/etc/systemd/system/$service"
		} ;;
	esac
done
export DEBIAN_FRONTEND=noninteractive
# $missing is a list of package names: let it split.
# shellcheck disable=SC2086
$as_root apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 ||
	{ $as_root apt-get update -q && $as_root apt-get install -y -q --no-install-recommends $missing; }
