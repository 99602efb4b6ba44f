#!/bin/sh
# `make dist-test` runs this as root. It builds the packages twice and compares them
# byte by byte, checks the RPMs against the Debian packages, and boots a fresh Debian
# with systemd. There it walks the getting-started pages, which install the Debian
# package, and makes the real unit serve, reload, restart, fail and stop.
#   deploy/packaging/test.sh VERSION
set -eu
version=$1
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH

inside() { systemd-nspawn -q --register=no --keep-unit --pipe -D "$root" "$@"; }
say() { printf '\n== %s\n' "$*"; }

say "build the same bytes in another directory, with an empty cache"
deploy/packaging/build.sh "$version" "$work/here" >/dev/null
mkdir "$work/elsewhere"
git ls-files -z --cached --others --exclude-standard | tar --null --ignore-failed-read -T - -cf - | tar -xf - -C "$work/elsewhere"
GOCACHE=$work/cache "$work/elsewhere/deploy/packaging/build.sh" "$version" "$work/there" >/dev/null
diff "$work/here/SHA256SUMS" "$work/there/SHA256SUMS"
cat "$work/here/SHA256SUMS"
rm -rf "$work/cache" "$work/elsewhere"

say "the RPM has the same files, and the architectures have the same names"
for arch in amd64:x86_64 arm64:aarch64; do
	deb=$(echo "$work"/here/assertd_*_"${arch%:*}".deb) rpm=$(echo "$work"/here/assertd-*."${arch#*:}".rpm)
	dpkg-deb --fsys-tarfile "$deb" | tar -tf - | sed -n 's|^\.\(/.*[^/]\)$|\1|p' | sort >"$work/files.deb"
	rpm -qp --qf '[%{FILEMODES:perms} %{FILENAMES}\n]' "$rpm" | sed -n 's/^-[^ ]* //p' | sort >"$work/files.rpm"
	diff "$work/files.deb" "$work/files.rpm"
	rpm -qp --requires "$rpm" | grep -q '^libc.so.6(GLIBC_'
done

say "create a fresh Debian"
root=$work/root
debootstrap --variant=minbase --include=systemd,softhsm2,curl bookworm "$root" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/log" 2>&1 ||
	{ tail -n 20 "$work/log" >&2; exit 1; }

say "boot it, install, and serve under systemd"
cp "$work"/here/assertd_*_"$(dpkg --print-architecture)".deb deploy/packaging/booted.sh deploy/packaging/walk.sh docs/getting-started-*.md "$root/root/"
cat >"$root/etc/systemd/system/test.service" <<'E2'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
StandardOutput=append:/root/booted.log
StandardError=append:/root/booted.log
ExecStart=/bin/sh -c '/root/booted.sh; systemctl exit $$?'
[Install]
WantedBy=default.target
E2
inside systemctl enable -q test.service
inside systemctl mask -q systemd-networkd-wait-online.service
# Debian 12's nspawn filter does not allow Landlock. This machine may have no systemd
# to register the container with.
timeout 900 systemd-nspawn -q --register=no --keep-unit --private-network \
	--system-call-filter='landlock_create_ruleset landlock_add_rule landlock_restrict_self' -D "$root" --boot >"$work/console" 2>&1 && code=0 || code=$?
cat "$root/root/booted.log"
if [ "$code" -ne 0 ]; then
	tail -n 30 "$work/console" >&2
	exit 1
fi

say "everything is in its place"
inside sh -euc '
	assertd version
	assertctl --version >/dev/null
	id assertd
	getent group assertd-callers
	test "$(stat -c "%a %U %G" /etc/assertd)" = "750 root assertd"
	test -s /usr/share/man/man1/assertd-serve.1.gz
	test -s /usr/share/man/man5/assertd.yaml.5.gz
	grep -q "Apache License" /usr/share/doc/assertd/copyright
	bash -n /usr/share/bash-completion/completions/assertd
	ldd /usr/bin/assertd | grep -q libc.so.6
'

say "every relative link in the installed documents leads somewhere"
(cd "$root/usr/share/doc/assertd" && find . -name '*.md' | while read -r page; do
	grep -o '](\([^)# ]*\)' "$page" | cut -c 3- | grep -v -e '://' -e '^$' | while read -r link; do
		[ -e "$(dirname "$page")/$link" ] || echo "$page: $link"
	done
done) >"$work/links"
[ ! -s "$work/links" ] || { cat "$work/links" >&2; exit 1; }

say "remove"
inside dpkg --remove assertd
test ! -e "$root/usr/bin/assertd"
test ! -e "$root/usr/lib/systemd/system/assertd.service"
test -e "$root/etc/assertd/assertd.yaml" # a removed package keeps its configuration
inside dpkg --purge assertd
test ! -e "$root/etc/assertd"
test -s "$root/var/log/assertd/audit.jsonl" # evidence stays
left=$(cd "$root" && find usr lib/systemd etc -name '*assertd*' ! -path '*/group*' | head)
[ -z "$left" ] || { echo "left behind: $left" >&2; exit 1; }
say "all tests passed"
