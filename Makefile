# Two targets do everything on a fresh Debian machine with Go: demo and test.
# Each installs what it misses; `make help` lists the rest.

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOFLAGS_BUILD := -trimpath -ldflags '$(LDFLAGS)'

# Debian packages: a C compiler because PKCS#11 modules are loaded through cgo.
DEMO_PACKAGES := gcc libc6-dev softhsm2 curl
# Node may come from elsewhere than Debian, with an npm that Debian's can't be
# installed beside.
NODE_PACKAGES = $(shell { command -v node && command -v npm; } >/dev/null 2>&1 || echo nodejs npm)
# Python and Node for the examples.
TEST_PACKAGES = $(DEMO_PACKAGES) systemd python3 $(NODE_PACKAGES)
# Debian's Python modules go with Debian's own /usr/bin/python3.
INTEROP_PACKAGES = $(DEMO_PACKAGES) python3 python3-jwt python3-jwcrypto $(NODE_PACKAGES)
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
demo: ## from nothing to a verified assertion out of a SoftHSM token
	@test/install.sh $(DEMO_PACKAGES)
	@$(MAKE) --no-print-directory -s build
	@test/demo.sh

.PHONY: test
test: ## run every test, as CI does
	@test/install.sh $(TEST_PACKAGES)
	go vet ./...
	CGO_ENABLED=0 go build ./cmd/assertctl ./client/... ./ipc/... ./jwks/... ./signer/...
	@test/promtool.sh bin/promtool
	PROMTOOL=$(CURDIR)/bin/promtool/promtool go test -race ./...
	@$(MAKE) --no-print-directory interop
	cd test/kubernetes && go vet ./... && go test -race ./...
	@UNABLE=0 $(MAKE) --no-print-directory docker-test

.PHONY: interop
interop: ## the part of test with others' authorization servers and libraries
	@test/install.sh $(INTEROP_PACKAGES)
	@$(MAKE) --no-print-directory $(NODE_MODULES)
	cd test/interop && go vet ./... && go test -race ./...

# By the lock file alone, and only when that is newer: a second run needs no network.
$(NODE_MODULES): test/interop/node/package-lock.json
	cd test/interop/node && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@

.PHONY: fresh-test
fresh-test: ## make demo and make test in a minimal Debian, as root and as a user with sudo (needs root)
	@test/install.sh debootstrap
	@test/fresh/test.sh

.PHONY: bench
bench: ## measure against raw PKCS#11 in the same run
	@test/install.sh $(DEMO_PACKAGES)
	go run ./test/bench

.PHONY: request-path
request-path: ## list the code on the path of one request, against its limits
	@test/install.sh $(DEMO_PACKAGES)
	go run ./test/requestpath

.PHONY: lint
lint: ## static analysis, known vulnerabilities, and drift of what is generated
	@test/install.sh $(TEST_PACKAGES) shellcheck
	@test/lint.sh

.PHONY: docker-test
docker-test: ## build the images and run the compose scenario, in an engine of its own if none runs (as root)
	@VERSION="$(VERSION)" test/docker/test.sh

.PHONY: dist
dist: ## Debian package and tarballs into dist/, the same bytes for the same sources
	@test/install.sh gcc libc6-dev binutils
	@deploy/packaging/build.sh "$(VERSION)" dist

.PHONY: dist-test
dist-test: ## build the packages twice, install, boot and remove them in a fresh Debian (as root)
	@test/install.sh gcc libc6-dev binutils debootstrap systemd-container
	@deploy/packaging/test.sh "$(VERSION)"

.PHONY: clean
clean: ## remove what the targets above made
	rm -rf bin dist .demo
