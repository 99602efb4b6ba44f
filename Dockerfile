# Two images: `assertd` for production and `softhsm` for development.
#   docker build --target assertd -t assertd .
#   docker build --target softhsm -t assertd:softhsm .
# Needs glibc, so not static: PKCS#11 modules are loaded at run time.
ARG GO=golang:1.26.8-bookworm
ARG BASE=debian:12.12-slim

FROM ${GO} AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN mkdir /out && \
    go build -trimpath -buildvcs=false -tags grpcnotrace -ldflags "-s -w -X main.version=${VERSION}" -o /out/assertd ./cmd/assertd && \
    CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION}" -o /out/assertctl ./cmd/assertctl

# Production: no SoftHSM. Mount the vendor's module, the configuration and the PIN,
# and run with --read-only. The daemon writes only to the volumes.
FROM ${BASE} AS assertd
RUN groupadd --system --gid 10001 assertd && \
    useradd --system --uid 10001 --gid 10001 --home-dir /var/lib/assertd --shell /usr/sbin/nologin assertd && \
    install -d -o assertd -g assertd -m 0755 /run/assertd && \
    install -d -o assertd -g assertd -m 0750 /var/lib/assertd /var/log/assertd && \
    install -d -o root -g assertd -m 0750 /etc/assertd
COPY --from=build /out/assertd /out/assertctl /usr/bin/
COPY LICENSE /usr/share/doc/assertd/LICENSE
ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="assertd" \
      org.opencontainers.image.description="Signs OAuth client assertions with keys that never leave the HSM" \
      org.opencontainers.image.source="https://github.com/assertd/assertd" \
      org.opencontainers.image.documentation="https://github.com/assertd/assertd/tree/main/docs" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}" \
      org.opencontainers.image.base.name="docker.io/library/debian:12.12-slim"
USER 10001:10001
WORKDIR /
VOLUME ["/run/assertd", "/var/lib/assertd", "/var/log/assertd"]
# Uses the operator socket: operator: {socket: /run/assertd/operator.sock}
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["assertctl", "status"]
ENTRYPOINT ["assertd"]
CMD ["serve", "--config", "/etc/assertd/assertd.yaml"]

# Development: the first start creates a SoftHSM token in /data.
FROM assertd AS softhsm
USER root
RUN apt-get update && \
    apt-get install -y --no-install-recommends softhsm2 && \
    rm -rf /var/lib/apt/lists/* /var/cache/debconf/* /var/log/*.log /var/log/apt && \
    install -d -o assertd -g assertd -m 0700 /data
USER 10001:10001
VOLUME ["/data"]
ENV ASSERTD_SOCKET=/data/assertd.sock \
    ASSERTD_OPERATOR_SOCKET=/data/operator.sock
CMD ["dev", "--dir", "/data"]
