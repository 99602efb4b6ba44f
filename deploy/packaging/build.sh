#!/bin/sh
# Builds the packages, tarballs and bills of materials into a directory:
#   deploy/packaging/build.sh VERSION [DIRECTORY]
# Builds are reproducible from any directory. Dates come from SOURCE_DATE_EPOCH; the
# default is the time of the last commit.
set -eu
version=$1
cd "$(dirname "$0")/../.."
mkdir -p "${2:-dist}"
out=$(cd "${2:-dist}" && pwd)
repository=https://github.com/assertd/assertd

: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct)}"
export SOURCE_DATE_EPOCH
export LC_ALL=C TZ=UTC
umask 022
unset ASSERTD_SOCKET # assertctl shows it as a default
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# Package versions begin with a digit and must sort, each by its system's rules.
case $version in
v[0-9]*) PACKAGE_VERSION=${version#v} python_version=${version#v} node_version=${version#v} tag=$version ;;
*)
	date=$(date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d%H%M%S)
	PACKAGE_VERSION=0~$date.$version python_version=0.0.0.dev$date node_version=0.0.0-dev.$date tag=main
	;;
esac
PACKAGE_VERSION=$(printf %s "$PACKAGE_VERSION" | tr - +)
export PACKAGE_VERSION

# The tools' own bytes are part of what they write.
GOFLAGS='-trimpath -buildvcs=false' go -C deploy/packaging build -ldflags '-s -w -buildid=' -o "$stage/tools/" ./doctree ./licenses \
	github.com/cpuguy83/go-md2man/v2 github.com/CycloneDX/cyclonedx-gomod/cmd/cyclonedx-gomod github.com/goreleaser/nfpm/v2/cmd/nfpm
tool() { # NAME [ARGUMENT…]
	program=$stage/tools/$1
	shift
	"$program" "$@"
}

build() { # GOOS GOARCH CGO NAME DIRECTORY
	GOOS=$1 GOARCH=$2 CGO_ENABLED=$3 go build -trimpath -buildvcs=false -tags grpcnotrace -ldflags "-s -w -buildid= -X main.version=$version" -o "$5/$4" "./cmd/$4"
}

bill() { # PROGRAM NAME: a CycloneDX bill of materials, read from the program itself
	tool cyclonedx-gomod bin -json -noserial -notimestamp -std -version "$version" -output "$out/$2.cdx.json" "$1" 2>"$stage/log" ||
		{ cat "$stage/log" >&2; return 1; }
}

# The compiler for cgo: Debian names each after what it makes.
compiler() { # GOARCH
	if [ "$1" = "$(go env GOHOSTARCH)" ]; then
		echo gcc
	elif [ "$1" = arm64 ]; then
		echo aarch64-linux-gnu-gcc
	else
		echo x86_64-linux-gnu-gcc
	fi
}

# What is the same on every architecture: manuals, completions, units, documents.
lay_out_shared() { # ROOT
	build "$(go env GOHOSTOS)" "$(go env GOHOSTARCH)" 1 assertd "$stage/native"
	build "$(go env GOHOSTOS)" "$(go env GOHOSTARCH)" 0 assertctl "$stage/native"
	man=$1/usr/share/man
	mkdir -p "$man/man1" "$man/man5"
	for name in assertd assertctl; do
		go test -count=1 "./cmd/$name" -run '^TestManual$' -manual "$man/man1" >&2
		for shell in bash/completions/$name zsh/vendor-completions/_$name fish/vendor_completions.d/$name.fish; do
			file=$1/usr/share/$shell
			[ "${shell%%/*}" != bash ] || file=$1/usr/share/bash-completion/completions/$name
			mkdir -p "$(dirname "$file")"
			"$stage/native/$name" completion "${shell%%/*}" >"$file"
		done
	done
	printf '%% assertd.yaml 5\n\n' | cat - docs/configuration.md | tool go-md2man >"$man/man5/assertd.yaml.5"
	gzip -9n "$man"/man?/*
	install -D -m 644 -t "$1/usr/lib/systemd/system" deploy/systemd/assertd.service deploy/systemd/assertd.socket
	install -D -m 644 deploy/systemd/assertd.sysusers "$1/usr/lib/sysusers.d/assertd.conf"
	install -D -m 644 deploy/systemd/assertd.tmpfiles "$1/usr/lib/tmpfiles.d/assertd.conf"
	tool doctree "$repository/blob/$tag" "$1/usr/share/doc/assertd" README.md CHANGELOG.md SECURITY.md docs examples \
		deploy/grafana deploy/helm deploy/kubernetes deploy/logrotate deploy/systemd/drop-ins ipc/openapi.yaml sdk/python/README.md sdk/node/README.md hsm/wire/PROTOCOL.md
	tool licenses ./cmd/assertd ./cmd/assertctl >"$1/usr/share/doc/assertd/copyright"
}

tarball() { # NAME: of the directory $stage/NAME
	find "$stage/$1" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	tar -C "$stage" --sort=name --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --format=gnu -cf - "$1" | gzip -9n >"$out/$1.tar.gz"
}

# The oldest libc that has every symbol that assertd needs.
needed_libc() { # PROGRAM
	readelf -W --dyn-syms "$1" | sed -n 's/.*@GLIBC_\([0-9.]*\).*/\1/p' | sort -Vu | tail -n 1
}

# assertd needs cgo for PKCS#11 modules, so only Linux with glibc has it.
packages() { # GOARCH
	name=assertd-$version-linux-$1
	STAGE=$stage/$name
	cp -a "$stage/shared" "$STAGE"
	CC=$(compiler "$1") build linux "$1" 1 assertd "$STAGE/usr/bin"
	build linux "$1" 0 assertctl "$STAGE/usr/bin"
	bill "$STAGE/usr/bin/assertd" "$name"
	tarball "$name"
	LIBC=$(needed_libc "$STAGE/usr/bin/assertd") ARCH=$1
	export ARCH LIBC STAGE
	for format in deb rpm; do
		(cd deploy/packaging && tool nfpm package --packager $format --config nfpm.yaml --target "$out/")
	done
}

client() { # GOOS GOARCH: only assertctl, which is pure Go
	name=assertctl-$version-$1-$2
	build "$1" "$2" 0 assertctl "$stage/$name"
	cp LICENSE "$stage/$name/"
	bill "$stage/$name/assertctl" "$name"
	tarball "$name"
}

# The packages for other languages. LICENSE and the version are filled in here.
python_package() { # VERSION
	cp -r sdk/python "$stage/python"
	cp LICENSE "$stage/python/"
	sed -i "s/^__version__ = .*/__version__ = \"$1\"/" "$stage/python/src/assertd/__init__.py"
	find "$stage/python" -name __pycache__ -prune -exec rm -rf {} +
	(cd "$stage/python" && /usr/bin/python3 -c 'from sys import argv
from flit_core.buildapi import build_sdist, build_wheel
build_sdist(argv[1]); build_wheel(argv[1])' "$out")
}

node_package() { # VERSION: laid out as by npm pack
	mkdir "$stage/package"
	cp -r LICENSE sdk/node/README.md sdk/node/package.json sdk/node/src "$stage/package/"
	sed -i "s/\"version\": .*/\"version\": \"$1\",/" "$stage/package/package.json"
	tarball package
	mv "$out/package.tar.gz" "$out/assertd-node-$1.tgz"
}

python_package "$python_version"
node_package "$node_version"
lay_out_shared "$stage/shared"
for arch in amd64 arm64; do packages $arch; done
for platform in linux/amd64 linux/arm64 darwin/amd64 darwin/arm64; do client ${platform%/*} ${platform#*/}; done
cd "$out"
sha256sum -- *.deb *.rpm *.tar.gz *.tgz *.whl *.cdx.json >SHA256SUMS
cat SHA256SUMS
