#!/bin/sh
# Builds the Debian package and the tarballs into a directory:
#   deploy/packaging/build.sh VERSION [DIRECTORY]
# Builds are reproducible from any directory. Dates come from SOURCE_DATE_EPOCH; the
# default is the time of the last commit.
set -eu
version=$1
cd "$(dirname "$0")/../.."
source=$PWD
mkdir -p "${2:-dist}"
out=$(cd "${2:-dist}" && pwd)

: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH
export LC_ALL=C TZ=UTC
umask 022
unset ASSERTD_SOCKET # assertctl shows it as a default
ARCH=$(go env GOARCH)
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT
STAGE=$stage/root

# Debian versions begin with a digit and must sort.
case $version in
v[0-9]*) DEB_VERSION=${version#v} ;;
*) DEB_VERSION=0~$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S).$version ;;
esac
DEB_VERSION=$(printf %s "$DEB_VERSION" | tr - +)

build() { # GOARCH CGO NAME DIRECTORY
	GOARCH=$1 CGO_ENABLED=$2 go build -trimpath -buildvcs=false -ldflags "-s -w -buildid= -X main.version=$version" -o "$4/$3" "./cmd/$3"
}

lay_out() { # the files of both the package and the tarball
	build "$ARCH" 1 assertd "$STAGE/usr/bin"
	build "$ARCH" 0 assertctl "$STAGE/usr/bin"
	man=$STAGE/usr/share/man
	mkdir -p "$man/man1" "$man/man5"
	for name in assertd assertctl; do
		go test -count=1 "./cmd/$name" -run '^TestManual$' -manual "$man/man1" >&2
		for shell in bash/completions/$name zsh/vendor-completions/_$name fish/vendor_completions.d/$name.fish; do
			file=$STAGE/usr/share/$shell
			[ "${shell%%/*}" != bash ] || file=$STAGE/usr/share/bash-completion/completions/$name
			mkdir -p "$(dirname "$file")"
			"$STAGE/usr/bin/$name" completion "${shell%%/*}" >"$file"
		done
	done
	printf '%% assertd.yaml 5\n\n' | cat - docs/configuration.md | go -C deploy/packaging tool go-md2man >"$man/man5/assertd.yaml.5"
	gzip -9n "$man"/man?/*
	install -D -m 644 -t "$STAGE/lib/systemd/system" deploy/systemd/assertd.service deploy/systemd/assertd.socket
	install -D -m 644 deploy/systemd/assertd.sysusers "$STAGE/usr/lib/sysusers.d/assertd.conf"
	install -D -m 644 deploy/systemd/assertd.tmpfiles "$STAGE/usr/lib/tmpfiles.d/assertd.conf"
	doc=$STAGE/usr/share/doc/assertd
	install -D -m 644 -t "$doc/drop-ins" deploy/systemd/drop-ins/*.conf
	install -D -m 644 -t "$doc/examples" examples/config/*.yaml
	install -D -m 644 deploy/logrotate/assertd "$doc/examples/logrotate"
	install -D -m 644 -t "$doc" README.md CHANGELOG.md docs/*.md docs/assertd.schema.json
	cp -r docs/hsm "$doc/"
	find "$stage" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

tarball() { # NAME: from the current directory, which holds a directory NAME
	tar --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$1" | gzip -9n >"$out/$1.tar.gz"
}

# The oldest libc that has every symbol that assertd needs.
needed_libc() {
	objdump -T "$1" | sed -n 's/.*GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1
}

lay_out
LIBC=$(needed_libc "$STAGE/usr/bin/assertd")
export ARCH STAGE DEB_VERSION LIBC
go -C deploy/packaging tool nfpm package --packager deb --config nfpm.yaml --target "$out/assertd_${DEB_VERSION}_$ARCH.deb"

cd "$stage"
cp -a root "assertd-$version-linux-$ARCH"
tarball "assertd-$version-linux-$ARCH"
cd "$source"
for arch in amd64 arm64; do # only assertctl, which is pure Go
	name=assertctl-$version-linux-$arch
	build "$arch" 0 assertctl "$stage/$name"
	(cd "$stage" && tarball "$name")
done
cd "$out"
sha256sum -- *.deb *.tar.gz >SHA256SUMS
cat SHA256SUMS
