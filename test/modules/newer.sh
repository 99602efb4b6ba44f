#!/bin/sh
# What `make hsm-test` runs: the conformance test on modules of a newer Debian
# suite, in a chroot with namespaces of its own. Needs root, and the suite.
#
#   HSM_SUITE=sid     the suite
#   HSM_UPDATE=1      write what was found to docs/hsm/table.md
#
# The root is built once and cached; remove the file named at the start to get a
# newer one. DEBIAN_MIRROR names another mirror than Debian's own.
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "hsm-test needs root to create namespaces; run: sudo env PATH=\"\$PATH\" make hsm-test" >&2; exit 1; }

suite=${HSM_SUITE:-sid}
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
cache=${XDG_CACHE_HOME:-$HOME/.cache}/assertd
tar=$cache/debian-$suite-hsm.tar
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}" assertd-hsm.XXXXXX)
root=$work/root
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 130' INT TERM
mkdir -p "$cache"

# within runs a command in the root, with terminals, sockets and IPC of its own.
within() {
	# shellcheck disable=SC2016 # the shell in there expands them
	unshare --mount --pid --fork --kill-child --ipc sh -eu -c '
		mount --make-rprivate /
		mount --bind "$0" "$0" # so that the root in there is a mount
		mount -t proc proc "$0/proc"
		mount -t tmpfs tmpfs "$0/run"
		mkdir "$0/run/lock"
		mount -t tmpfs -o mode=0755 tmpfs "$0/dev"
		for device in null zero full random urandom; do
			: >"$0/dev/$device"
			mount --bind "/dev/$device" "$0/dev/$device"
		done
		mkdir "$0/dev/shm"
		mount -t tmpfs -o mode=1777 tmpfs "$0/dev/shm"
		if [ -d "$0/assertd" ]; then mount --bind docs/hsm "$0/assertd/docs/hsm"; fi
		root=$0
		exec chroot "$root" "$@"' "$root" "$@"
}

# Signatures of the archive are checked; its date is not, since a mirror may lag
# behind.
build() {
	echo "building $tar"
	debootstrap --variant=minbase --include=ca-certificates "$suite" "$root" "$mirror" >"$work/log" 2>&1 || unreachable
	cp -L /etc/resolv.conf "$root/etc/"
	apt-config dump | grep -E '^Acquire::https?::Proxy[ :]' >"$root/etc/apt/apt.conf.d/90proxy" || true
	within env DEBIAN_FRONTEND=noninteractive sh -c 'apt-get -q -o Acquire::Check-Valid-Until=false update &&
		apt-get install -q -y --no-install-recommends opencryptoki softhsm2 pkcs11-daemon libpkcs11-proxy0 openssl mount' \
		>"$work/log" 2>&1 || unreachable
	tar -C "$root" --numeric-owner -cf "$tar.part" .
	mv "$tar.part" "$tar"
}

unreachable() {
	tail -n 20 "$work/log" >&2
	echo "hsm-test: the Debian suite $suite is out of reach at $mirror, so its modules were not tested; set DEBIAN_MIRROR to another mirror" >&2
	exit 1
}

if [ -s "$tar" ]; then
	mkdir "$root"
	tar -C "$root" --numeric-owner -xf "$tar"
else
	build
fi
mkdir -p "$root/assertd/bin" "$root/assertd/test/modules" "$root/assertd/docs/hsm"
go vet -tags hsmtest ./test/modules
go build -tags clockshift -o "$root/assertd/bin" ./cmd/assertd
go test -c -tags hsmtest -o "$root/assertd/test/modules/modules.test" ./test/modules
cp test/modules/opencryptoki.sh "$root/assertd/test/modules/"
# shellcheck disable=SC2016 # the shell in there expands them
within env ASSERTD_BINARIES=/assertd/bin sh -c 'cd /assertd/test/modules
	./modules.test -test.v -test.run "^TestNewer$" -test.timeout 30m '"${HSM_UPDATE:+-update}"'
	code=$? # not exec: as process 1 the shell reaps what the tests leave behind
	exit $code' ||
	{ echo "hsm-test: failed" >&2; exit 1; }
cat docs/hsm/table.md
