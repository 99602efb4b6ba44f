#!/bin/sh
# Runs `make docker-test`: builds both images of the Dockerfile, starts the compose
# scenario, and asks for assertions from containers with and without a grant.
# Installs and starts an engine if none is running, and builds replacements for
# base images that cannot be pulled. Needs root, or a user who may use a running
# engine. Cleans up after itself. If no engine can run here it says why and exits
# with $UNABLE, which defaults to 1.
set -eu
cd "$(dirname "$0")/../.."
project=assertd-test-$$
compose_file=test/docker/compose.yaml
work=$(mktemp -d)
engine='' made='' revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
export DOCKER_BUILDKIT=0 COMPOSE_DOCKER_CLI_BUILD=0 # the builder every engine has

say() { printf '\n== %s\n' "$*"; }
fail() {
	echo "FAILED: $*" >&2
	compose logs --no-color --tail=40 >&2 || true
	exit 1
}

compose() {
	if docker compose version >/dev/null 2>&1; then
		docker compose -p "$project" -f "$compose_file" "$@"
	else
		docker-compose -p "$project" -f "$compose_file" "$@"
	fi
}

clean_up() {
	code=$?
	trap - EXIT INT TERM
	if [ -n "${DOCKER_HOST:-}" ] || docker info >/dev/null 2>&1; then
		compose down --volumes --timeout 5 >/dev/null 2>&1 || true
		docker volume rm "$project-module" >/dev/null 2>&1 || true
		# shellcheck disable=SC2086 # a list of image names
		[ -z "$made" ] || docker rmi -f $made >/dev/null 2>&1 || true
	fi
	if [ -n "$engine" ]; then
		kill "$engine" 2>/dev/null || true
		wait "$engine" 2>/dev/null || true
		awk -v d="$work/" 'index($2, d) == 1 {print $2}' /proc/mounts | sort -r | while read -r mount; do umount "$mount" || true; done
	fi
	rm -rf "$work"
	exit $code
}
trap clean_up EXIT
trap 'exit 130' INT TERM

# Starts a private engine that keeps everything in the work directory. It picks its
# own storage driver: overlay if the kernel has it, or else vfs.
start_engine() {
	[ "$(id -u)" -eq 0 ] || { echo "docker-test not run: no engine is running, and only root can start one" >&2; exit "${UNABLE:-1}"; }
	say "no engine is running: starting one"
	export DOCKER_HOST="unix://$work/docker.sock"
	dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/docker.pid" -H "$DOCKER_HOST" >"$work/docker.log" 2>&1 &
	engine=$!
	tries=0
	until docker info >/dev/null 2>&1; do
		tries=$((tries + 1))
		if [ $tries -gt 150 ] || ! kill -0 "$engine" 2>/dev/null; then
			echo "docker-test not run: no container engine can run on this machine:" >&2
			grep -E 'level=(error|fatal)|failed to start' "$work/docker.log" | tail -n 5 >&2
			exit "${UNABLE:-1}"
		fi
		sleep 0.2
	done
}

# base IMAGE PACKAGES: pull an image, or build a replacement from Debian packages.
base() {
	docker image inspect "$1" >/dev/null 2>&1 && return
	made="$made $1"
	timeout 30 docker pull -q "$1" 2>/dev/null && return
	say "cannot pull $1: building a replacement from Debian packages"
	test/install.sh debootstrap
	[ -d "$work/base" ] || debootstrap --variant=minbase --include=ca-certificates bookworm "$work/base" ${DEBIAN_MIRROR:+"$DEBIAN_MIRROR"} >"$work/log" 2>&1 ||
		{ tail "$work/log" >&2; exit 1; }
	rm -rf "$work"/base/var/cache/apt/archives/*.deb
	cp /etc/ssl/certs/ca-certificates.crt "$work/base/etc/ssl/certs/" # trust the CAs this machine trusts
	if [ -z "$2" ]; then
		tar -C "$work/base" -c . | docker import - "$1" >/dev/null
		return
	fi
	printf 'FROM %s\nRUN apt-get update && apt-get install -y --no-install-recommends %s\nADD go.tar /usr/local/\nENV PATH=/usr/local/go/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin GOTOOLCHAIN=local GOPROXY=%s GOSUMDB=%s\n' \
		"$BASE" "$2" "$(go env GOPROXY)" "$(go env GOSUMDB)" >"$work/go/Dockerfile"
	tar -C "$(go env GOROOT)" --transform 's,^\.,go,' --exclude ./test --exclude ./doc -cf "$work/go/go.tar" .
	docker build -q -t "$1" "$work/go" >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }
}

# argument NAME: the default of a Dockerfile ARG.
argument() { sed -n "s/^ARG $1=//p" Dockerfile | head -n 1; }

build() { # TARGET TAG
	made="$made $2"
	docker build -q --target "$1" -t "$2" --build-arg VERSION="${VERSION:-dev}" --build-arg REVISION="$revision" . >"$work/log" 2>&1 ||
		{ tail -n 20 "$work/log" >&2; exit 1; }
	printf '%s: %s MB\n' "$2" "$(docker image inspect -f '{{.Size}}' "$2" | awk '{printf "%.0f", $1 / 1e6}')"
}

await_healthy() { # CONTAINER
	tries=0
	until [ "$(docker inspect -f '{{.State.Health.Status}}' "$1")" = healthy ]; do
		tries=$((tries + 1))
		[ $tries -lt 150 ] || { docker logs --tail=40 "$1" >&2; fail "$1 did not become healthy"; }
		sleep 0.4
	done
}

[ "$(id -u)" -eq 0 ] || docker info >/dev/null 2>&1 || start_engine # says why it cannot
command -v dockerd >/dev/null || command -v docker >/dev/null || test/install.sh docker.io iptables
docker info >/dev/null 2>&1 || { command -v dockerd >/dev/null || test/install.sh docker.io iptables; start_engine; }
docker compose version >/dev/null 2>&1 || command -v docker-compose >/dev/null || test/install.sh docker-compose
mkdir -p "$work/go"

BASE=$(argument BASE)
base "$BASE" ''
base "$(argument GO)" 'gcc libc6-dev ca-certificates'

say "build"
build assertd assertd:latest
build softhsm assertd:softhsm
made="$made assertd-example:go assertd-example:curl"
compose build go-service curl-service >"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; exit 1; }

say "the production image: no SoftHSM, not root, labelled"
docker run --rm --network none --entrypoint sh assertd:latest -euc '
	! find / -xdev -name "libsofthsm2*" 2>/dev/null | grep .
	test "$(id -u)" = 10001
	assertd version'
for label in title version revision created source; do
	docker image inspect -f "{{index .Config.Labels \"org.opencontainers.image.$label\"}}" assertd:latest | grep -q . || fail "no label $label"
done

say "up"
compose up -d assertd
daemon=$(compose ps -q assertd)
await_healthy "$daemon"

say "the Go service verifies its assertion with the published keys"
compose run --rm go-service | tee "$work/out"
grep -q '^verified: go-service' "$work/out" || fail "the Go service got no assertion, or an invalid one"

say "the curl service has no network, only the socket"
compose run --rm curl-service >"$work/answer"
docker exec "$daemon" assertctl --socket /run/assertd/curl.sock jwks 2>/dev/null >"$work/jwks.json" || fail "no JWKS from the socket"
assertion=$(sed -n 's/.*"assertion":"\([^"]*\)".*/\1/p' "$work/answer")
[ -n "$assertion" ] || fail "the curl service got: $(cat "$work/answer")"
docker cp "$work/jwks.json" "$daemon:/run/assertd/jwks.json"
printf %s "$assertion" | docker exec -i "$daemon" assertctl verify --jwks /run/assertd/jwks.json --audience https://as.example

sockets=$(docker inspect -f '{{range .Mounts}}{{if eq .Destination "/run/assertd"}}{{.Name}}{{end}}{{end}}' "$daemon")
stranger() { # USER SOCKET: ask from a container that has no grant
	docker run --rm --network none --user "$1" -v "$sockets:/run/assertd:ro" -e ASSERTD_SOCKET="/run/assertd/$2" assertd-example:curl
}
say "refused: a container without a grant, and one on another's socket"
for ask in '20003 curl.sock' '0 curl.sock' '20001 curl.sock' '20002 go.sock'; do
	# shellcheck disable=SC2086 # two words
	if stranger $ask >"$work/out" 2>&1; then fail "user ${ask% *} got an assertion on ${ask#* }"; fi
	grep -o 'urn:assertd:error:[a-z-]*' "$work/out" || fail "user ${ask% *}: $(cat "$work/out")"
	! grep -q '"assertion"' "$work/out" || fail "an assertion for user ${ask% *}"
done

say "production: the module mounted in, everything else read-only"
token=$(docker inspect -f '{{range .Mounts}}{{if eq .Destination "/data"}}{{.Name}}{{end}}{{end}}' "$daemon")
compose stop -t 10 assertd >/dev/null 2>&1
docker volume create "$project-module" >/dev/null
docker run --rm --network none --user 0 -v "$project-module:/module" --entrypoint sh assertd:softhsm -euc '
	cp /usr/lib/softhsm/libsofthsm2.so /module/
	for library in $(ldd /usr/lib/softhsm/libsofthsm2.so | grep -oE "/[^ ]*/lib(crypto|sqlite3|stdc\+\+|gcc_s)\.[^ ]*"); do cp -L "$library" /module/; done'
docker run --rm --network none --user 10001 -v "$token:/data" -v "$project-module:/module:ro" --entrypoint sh assertd:softhsm -euc '
	sed -e "s,module: .*,module: /module/libsofthsm2.so," -e "s,environment: {,environment: {LD_LIBRARY_PATH: /module\, ," -e "s,operator: .*,operator: {socket: /run/assertd/operator.sock}," /data/assertd.yaml >/data/production.yaml
	chmod 600 /data/production.yaml'
production=$(docker run -d --network none --read-only --cap-drop ALL --security-opt no-new-privileges \
	-v "$token:/data" -v "$project-module:/module:ro" -v "$sockets:/run/assertd" assertd:latest serve --config /data/production.yaml)
await_healthy "$production" || true
stranger 20002 curl.sock | grep -q '"assertion"' || { docker logs "$production" >&2; docker rm -f "$production" >/dev/null; fail "no assertion from the production image"; }
docker stop -t 10 "$production" >/dev/null
[ "$(docker inspect -f '{{.State.ExitCode}}' "$production")" = 0 ] || fail "the production container did not exit cleanly"
docker rm -f "$production" >/dev/null
echo "a container that can write only to its volumes signs an assertion"

say "docker-test passed"
