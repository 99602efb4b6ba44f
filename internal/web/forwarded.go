package web

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// Client returns the address of the client that sent a request: of the
// connection, or the one that the nearest proxy saw. Serve's handler must have
// the request.
func (o Options) Client(r *http.Request) netip.Addr {
	peer := requestAddress(r.RemoteAddr)
	if o.ClientAddress != ForwardedFor || !o.Proxies.Contain(peer) {
		return peer
	}
	return o.forwardedFor(peer, r.Header.Values("X-Forwarded-For"))
}

// forwardedFor goes through the addresses from the last one, which the nearest
// proxy appended, to the first one that is not a proxy's. That client could
// have written everything before it.
func (o Options) forwardedFor(peer netip.Addr, headers []string) netip.Addr {
	for _, text := range slices.Backward(strings.Split(strings.Join(headers, ","), ",")) {
		address := requestAddress(strings.TrimSpace(text))
		if !address.IsValid() {
			return peer
		}
		peer = address
		if !o.Proxies.Contain(peer) {
			return peer
		}
	}
	return peer
}

// requestAddress reads an address with or without a port, and IPv6 with or
// without brackets.
func requestAddress(text string) netip.Addr {
	if withPort, err := netip.ParseAddrPort(text); err == nil {
		return withPort.Addr().Unmap().WithZone("")
	}
	address, err := netip.ParseAddr(strings.Trim(text, "[]"))
	if err != nil {
		return netip.Addr{}
	}
	return address.Unmap().WithZone("")
}
