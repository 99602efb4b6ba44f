#!/bin/sh
# What `make fresh-test` runs: `make demo` and `make test` on a clean clone of
# HEAD in a minimal Debian 12 that has make, git, CA certificates, and this
# machine's Go; once as root and once as a user with sudo. Needs root.
#
#   FRESH_USER=root   only as root, or builder: only as the user with sudo
#   FRESH_ONLY=demo   only these targets
#
# The base system is built once and cached; remove the file named at the start
# to get a newer one. DEBIAN_MIRROR names another mirror than Debian's own.
set -eu
cd "$(dirname "$0")/../.."
[ "$(id -u)" -eq 0 ] || { echo "fresh-test needs root to create namespaces; run: sudo env PATH=\"\$PATH\" make fresh-test" >&2; exit 1; }
go=$(command -v go) || { echo "fresh-test: no go in PATH" >&2; exit 1; }

cache=${XDG_CACHE_HOME:-$HOME/.cache}/assertd
base=$cache/debian-12-minbase.tar
logs=$cache/fresh-test
work=$(mktemp -d -p "${TMPDIR:-/var/tmp}" assertd-fresh.XXXXXX)
inside=''
mkdir -p "$logs"

# The mounts are gone with their namespace, and --kill-child ends the processes.
clean_up() {
	trap - EXIT INT TERM
	[ -z "$inside" ] || { kill -KILL "$inside" 2>/dev/null || true; wait "$inside" 2>/dev/null || true; } # unshare ignores SIGTERM
	rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

build_base() {
	[ ! -s "$base" ] || return 0
	echo "building $base"
	debootstrap --variant=minbase --include=make,git,ca-certificates bookworm "$work/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$logs/debootstrap.log" 2>&1 ||
		{ tail -n 20 "$logs/debootstrap.log" >&2; exit 1; }
	tar -C "$work/base" --numeric-owner -cf "$base.part" .
	mv "$base.part" "$base"
	rm -rf "$work/base"
}

# Settings of this machine that a download needs behind a proxy or a mirror. A
# login clears all other variables.
settings=DEBIAN_MIRROR,http_proxy,https_proxy,no_proxy,HTTP_PROXY,HTTPS_PROXY,NO_PROXY
export_settings() {
	for name in GOPROXY GOSUMDB GONOSUMDB GONOPROXY GOPRIVATE GOINSECURE; do
		export "$name=$("$go" env "$name")"
		settings=$settings,$name
	done
	if npm_config_registry=$(npm config get registry 2>/dev/null); then
		export npm_config_registry
		settings=$settings,npm_config_registry
	fi
	if [ -n "${NODE_EXTRA_CA_CERTS:-}" ]; then
		export NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
		settings=$settings,NODE_EXTRA_CA_CERTS
	fi
}

unpack() { # ROOT
	mkdir "$1"
	tar -C "$1" --numeric-owner -xf "$base"
	cp -L /etc/resolv.conf "$1/etc/"
	echo '127.0.0.1 localhost fresh' >"$1/etc/hosts"
	cp /etc/ssl/certs/ca-certificates.crt "$1/etc/ssl/certs/"
	apt-config dump | grep -E '^Acquire::https?::Proxy[ :]' >"$1/etc/apt/apt.conf.d/90proxy" || true
	echo 'export PATH=/usr/local/go/bin:$PATH' >"$1/etc/profile.d/go.sh"
	mkdir "$1/usr/local/go"
}

# enter runs a command in a root as a user who has just logged in.
enter() { # ROOT USER COMMAND
	unshare --mount --pid --fork --kill-child --ipc --uts \
		test/fresh/enter.sh "$1" "$("$go" env GOROOT)" "$2" "$settings" "$3" </dev/null &
	inside=$!
	wait "$inside" && code=0 || code=$?
	inside=''
	return $code
}

add_user() { # ROOT USER
	enter "$1" root "apt-get update -q && apt-get install -y -q --no-install-recommends sudo &&
		useradd --create-home --shell /bin/bash $2 &&
		echo '$2 ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/$2" >"$logs/$2-setup.log" 2>&1 ||
		{ tail -n 20 "$logs/$2-setup.log" >&2; exit 1; }
}

clone() { # ROOT USER HOME
	git clone -q --no-hardlinks "file://$PWD" "$1$3/assertd"
	chown -R --reference "$1$3" "$1$3/assertd"
}

failed=''
make_target() { # ROOT USER TARGET
	log=$logs/$2-$3.log
	started=$(date +%s)
	if enter "$1" "$2" "cd assertd && make $3" >"$log" 2>&1; then verdict=ok; else verdict=FAILED failed=1; fi
	printf '%-8s make %-5s %-7s %4d s\n' "$2" "$3" "$verdict" $(($(date +%s) - started))
	[ "$verdict" = ok ] || { tail -n 40 "$log" | sed 's/^/    /'; echo "    all of it: $log"; } >&2
}

try_user() { # USER HOME
	root=$work/$1
	unpack "$root"
	[ "$1" = root ] || add_user "$root" "$1"
	clone "$root" "$1" "$2"
	for target in ${FRESH_ONLY:-demo test}; do
		make_target "$root" "$1" "$target"
	done
	rm -rf --one-file-system "$root"
}

# One function, so that the shell has read the whole script before a run that
# takes long enough for someone to edit it.
main() {
	build_base
	export_settings
	echo "base $base, commit $(git rev-parse --short HEAD), $("$go" env GOVERSION)"
	[ -z "$(git status --porcelain)" ] || echo "uncommitted changes are left out"
	for user in ${FRESH_USER:-root builder}; do
		case $user in
		root) try_user root /root ;;
		builder) try_user builder /home/builder ;;
		*) echo "FRESH_USER is root or builder, not $user" >&2; exit 1 ;;
		esac
	done
	[ -z "$failed" ] || exit 1
	exit 0
}
main
