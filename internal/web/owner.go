package web

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
)

// Proxies are the addresses of reverse proxies and load balancers. What others
// say about a client's address is not believed.
type Proxies []netip.Prefix

// ParseProxies reads addresses and networks, such as 192.0.2.7 and
// 2001:db8::/32.
func ParseProxies(texts []string) (Proxies, error) {
	var proxies Proxies
	for _, text := range texts {
		prefix, err := ParseNetwork(text)
		if err != nil {
			return nil, err
		}
		proxies = append(proxies, prefix)
	}
	return proxies, nil
}

// ParseNetwork reads an address or a network.
func ParseNetwork(text string) (netip.Prefix, error) {
	if address, err := netip.ParseAddr(text); err == nil && address.Zone() == "" {
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix.Masked() != prefix || prefix.Addr().Is4In6() {
		return netip.Prefix{}, fmt.Errorf("%q is not an address or a network", text)
	}
	return prefix, nil
}

// Contain reports whether an address belongs to a proxy.
func (p Proxies) Contain(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(prefix netip.Prefix) bool { return prefix.Contains(address) })
}

// owner is whose a connection is: an IPv4 address, or the /64 of an IPv6
// address, since a host usually has all addresses of one. The zero value stands
// for the proxies.
type owner = netip.Prefix

const hostBits6 = 64

func ownerOf(address netip.Addr) owner {
	if !address.IsValid() {
		return netip.PrefixFrom(netip.IPv6Unspecified(), 0) // all that have no address are one
	}
	return netip.PrefixFrom(address, min(address.BitLen(), hostBits6)).Masked()
}

// addressOf returns the IP address of a connection's end, an IPv4-mapped one as
// IPv4, or the invalid zero value.
func addressOf(end net.Addr) netip.Addr {
	tcp, ok := end.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}
