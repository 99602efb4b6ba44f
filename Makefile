# On a fresh Debian machine with Go, start with demo and test. Each target
# installs the packages it needs; `make help` lists them all.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
# Without gRPC's traces, which nothing reads, each process is 3.5 MiB smaller.
TAGS := grpcnotrace
GOFLAGS_BUILD := -trimpath -tags $(TAGS) -ldflags '$(LDFLAGS)'

# Debian packages. The C compiler is for cgo, which loads PKCS#11 modules.
DEMO_PACKAGES := gcc libc6-dev softhsm2 curl
# Counts instructions.
BENCH_PACKAGES := valgrind
# Other programs that sign.
PEER_PACKAGES := p11-kit p11-kit-modules openssh-client
# Small disks that can be full, and that tests freeze.
CHAOS_PACKAGES := e2fsprogs mount
# A Node from another source brings its own npm, which conflicts with Debian's.
NODE_PACKAGES = $(shell { command -v node && command -v npm; } >/dev/null 2>&1 || echo nodejs npm)
# PKCS#11 modules besides SoftHSM.
MODULE_PACKAGES := p11-kit p11-kit-modules opensc opensc-pkcs11 \
	libtpm2-pkcs11-1 libtpm2-pkcs11-tools swtpm tpm2-tools tpm2-abrmd libtss2-tcti-tabrmd0 dbus opencryptoki \
	libnss3 libnss3-tools
# Python and Node run the examples. Users of libnss-extrausers are not in
# /etc/passwd.
TEST_PACKAGES = $(DEMO_PACKAGES) $(CHAOS_PACKAGES) $(MODULE_PACKAGES) redis-server redis-sentinel systemd logrotate rsyslog rsyslog-gnutls libnss-extrausers python3 $(NODE_PACKAGES)
# Debian's Python modules need Debian's own /usr/bin/python3.
INTEROP_PACKAGES = $(DEMO_PACKAGES) openssl openssh-client openssh-server python3 python3-jwt python3-jwcrypto \
	python3-authlib python3-msal python3-requests python3-httpx mypy python3-typeshed $(NODE_PACKAGES)
# C compilers for both architectures that have packages; flit builds the Python
# package.
DIST_PACKAGES := gcc libc6-dev binutils flit $(if $(filter aarch64,$(shell uname -m)),gcc-x86-64-linux-gnu,gcc-aarch64-linux-gnu)
NODE_MODULES := test/interop/node/node_modules/.package-lock.json

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/assertd and bin/assertctl
	go build $(GOFLAGS_BUILD) -o bin/assertd ./cmd/assertd
	CGO_ENABLED=0 go build $(GOFLAGS_BUILD) -o bin/assertctl ./cmd/assertctl

.PHONY: demo
demo: ## sign an assertion with a SoftHSM key and verify it
	@test/install.sh $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory -s build
	@test/demo.sh

.PHONY: demo-fleet
demo-fleet: ## run three daemons that share a limit, a freeze, a rotation, and lose their server
	@test/install.sh $(DEMO_PACKAGES) redis-server
	@$(MAKE) --no-print-directory -s build
	@test/demo-fleet.sh

.PHONY: demo-svg
demo-svg: ## record make demo as docs/demo.svg
	@test/install.sh $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory -s build
	@rm -rf .demo
	@go run ./test/demosvg test/demo.sh >docs/demo.svg.new
	@mv docs/demo.svg.new docs/demo.svg

.PHONY: playground
playground: ## run a daemon beside an authorization server that knows its keys
	@test/install.sh $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory -s build
	@cd test/interop && go build -o $(CURDIR)/bin/playground ./playground
	@bin/playground --assertd bin/assertd

.PHONY: test
test: ## run all tests, as CI does
	@test/install.sh $(TEST_PACKAGES)
	go vet ./...
	CGO_ENABLED=0 go build ./cmd/assertctl ./client/... ./ipc/... ./jwks/...
	GOOS=darwin CGO_ENABLED=0 go build -o /dev/null ./cmd/assertctl
	CGO_ENABLED=0 go test ./signer/...
	go test -run '^TestAllocations$$' ./signer ./ipc/server ./hsm ./hsm/pool ./hsm/wire
	@test/promtool.sh bin/promtool
	PROMTOOL=$(CURDIR)/bin/promtool/promtool go test -race -timeout 30m ./...
	@$(MAKE) --no-print-directory interop
	cd test/witness && go vet ./... && go test -race ./...
	cd test/collector && go vet ./... && go test -race ./...
	cd test/kubernetes && go vet ./... && go test ./...
	@UNABLE=0 $(MAKE) --no-print-directory docker-test

.PHONY: test-quick
test-quick: ## run the tests that need no Docker and no third-party servers, without long fault runs
	@test/install.sh $(TEST_PACKAGES)
	go vet ./...
	@test/promtool.sh bin/promtool
	PROMTOOL=$(CURDIR)/bin/promtool/promtool go test -short -timeout 30m ./...

.PHONY: interop
interop: ## test against third-party authorization servers and libraries
	@test/install.sh $(INTEROP_PACKAGES)
	@$(MAKE) --no-print-directory $(NODE_MODULES)
	cd test/interop && go vet -tags hydra ./... && go test -race -timeout 20m ./...

.PHONY: interop-all
interop-all: ## the same, and against Ory Hydra, whose build takes minutes
	@test/install.sh $(INTEROP_PACKAGES)
	@$(MAKE) --no-print-directory $(NODE_MODULES) bin/hydra
	cd test/interop && go vet -tags hydra ./... && HYDRA=$(CURDIR)/bin/hydra go test -race -timeout 20m -tags hydra ./...

# Stays until its version changes.
bin/hydra: test/hydra/go.mod
	@echo "building Ory Hydra: minutes, and some 200 modules to download"
	@go -C test/hydra build -tags sqlite -o $(CURDIR)/$@ github.com/ory/hydra/v2 || { \
		echo "Ory Hydra can't be built here: see the error above. make interop tests all but Hydra."; exit 1; }
	@touch $@

# Reinstalls only when the lock file is newer, so a second run needs no network.
$(NODE_MODULES): test/interop/node/package-lock.json
	cd test/interop/node && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: fresh-test
fresh-test: ## run make demo and make test in a minimal Debian, as root and as a sudo user (needs root)
	@test/install.sh debootstrap
	@test/fresh/test.sh

.PHONY: hsm-test
hsm-test: ## test the PKCS#11 modules of a newer Debian suite (needs root and the suite)
	@test/install.sh gcc libc6-dev debootstrap
	@test/modules/newer.sh

.PHONY: kubernetes-test
kubernetes-test: ## test with a real kube-apiserver, which the first run builds for minutes
	@test/install.sh $(DEMO_PACKAGES)
	cd test/apiserver && go vet ./... && go test -count 1 -timeout 3h

.PHONY: audit-chaos
audit-chaos: ## kill the daemon 1,000 times under load, and verify its audit log each time
	@test/install.sh $(TEST_PACKAGES)
	go test -timeout 0 -v -run '^TestKilled$$' ./test/e2e -kills 1000

.PHONY: bench
bench: ## compare performance with raw PKCS#11
	@test/install.sh $(DEMO_PACKAGES) $(BENCH_PACKAGES)
	go run ./test/bench $(BENCH_FLAGS)

.PHONY: bench-page
bench-page: ## the same, and put the tables into docs/performance.md
	@$(MAKE) --no-print-directory bench BENCH_FLAGS="-page docs/performance.md $(BENCH_FLAGS)"

.PHONY: bench-peers
bench-peers: ## the same, with other programs that sign: p11-kit server, ssh-agent
	@test/install.sh $(DEMO_PACKAGES) $(BENCH_PACKAGES) $(PEER_PACKAGES)
	go run ./test/bench -peers $(BENCH_FLAGS)

.PHONY: chaos
chaos: ## break a daemon's surroundings under load for ten minutes
	@test/install.sh $(DEMO_PACKAGES) $(CHAOS_PACKAGES)
	go test ./test/chaos -count 1 -v -timeout 1h -run '^TestChaos$$' -duration 10m $(CHAOS_FLAGS)

.PHONY: fleet-simulation
fleet-simulation: ## simulate the shared budgets of 1,000 daemons and 100,000 clients for a day
	go test ./internal/fleetbudget -count 1 -v -timeout 0 -run '^TestSimulation$$' -scale 1

.PHONY: attack
attack: ## attack the daemon, from outside and from inside its PKCS#11 module
	@test/install.sh $(TEST_PACKAGES)
	cd test/attack && go test -count 1 -timeout 1h -run '^TestAttacks$$' -args -long
	go test ./test/e2e -count 1 -v -run '^TestModule(Cant|Has|Runs|Memory|Network)'

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (default 60s)
	@test/install.sh $(DEMO_PACKAGES)
	@FUZZTIME="$(or $(FUZZTIME),60s)" test/fuzz.sh $(FUZZ)

.PHONY: request-path
request-path: ## list the code on the path of one request, against its limits
	@test/install.sh $(DEMO_PACKAGES)
	go run ./test/requestpath

.PHONY: lint
lint: ## run static analysis, check for known vulnerabilities and stale generated files
	@test/install.sh $(TEST_PACKAGES) shellcheck
	@test/lint.sh

.PHONY: docker-test
docker-test: ## build the images and run the compose scenario (needs root or a Docker engine)
	@VERSION="$(VERSION)" test/docker/test.sh

.PHONY: dist
dist: ## build packages, tarballs and bills of materials, reproducibly, in dist/
	@test/install.sh $(DIST_PACKAGES)
	@deploy/packaging/build.sh "$(VERSION)" dist

.PHONY: dist-test
dist-test: ## build the packages twice, then install, boot, and remove them in a fresh Debian (needs root)
	@test/install.sh $(DIST_PACKAGES) rpm debootstrap systemd-container
	@deploy/packaging/test.sh "$(VERSION)"

.PHONY: clean
clean: ## remove build output
	rm -rf bin dist .demo
