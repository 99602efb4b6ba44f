#!/bin/sh
# Installs the Debian packages named as arguments that are not there yet.
# As root, or as a user with sudo. When nothing is missing it touches nothing,
# so that a second run is quick and needs no network.
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
export DEBIAN_FRONTEND=noninteractive
# Word splitting is wanted: $missing is a list of package names.
# shellcheck disable=SC2086
$as_root apt-get install -y -q --no-install-recommends $missing >/dev/null 2>&1 ||
	{ $as_root apt-get update -q && $as_root apt-get install -y -q --no-install-recommends $missing; }
