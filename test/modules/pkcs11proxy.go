package modules

import (
	"net"
	"testing"
)

// Pkcs11Proxy is the module of pkcs11-proxy. Its daemon has SoftHSM open, for
// all of its clients together: the first one's login is everybody's.
func Pkcs11Proxy(t testing.TB) *Module {
	t.Helper()
	m := inFront(t, library(t, "libpkcs11-proxy.so", "libpkcs11-proxy0"))
	address := freeAddress(t)
	m.Network = "any"
	m.Environment["PKCS11_PROXY_SOCKET"] = "tcp://" + address
	m.add(t, &daemon{
		command: []string{"/usr/bin/pkcs11-daemon", m.behind},
		environ: append(m.environ(), "PKCS11_DAEMON_SOCKET=tcp://"+address),
		answers: func() bool {
			conn, err := net.Dial("tcp", address)
			if err == nil {
				conn.Close()
			}
			return err == nil
		},
	})
	return m
}

func freeAddress(t testing.TB) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}
