package attack

import (
	"errors"
	"fmt"
	"net"
	"net/http"

	"github.com/rogpeppe/go-internal/testscript"
)

// flood opens many connections from one address, and keeps them open. Then
// another address, and the same one, must still be served:
//
//	attack flood ADDRESS PATH COUNT
func flood(ts *testscript.TestScript, args []string) error {
	var count int
	if len(args) != 3 {
		return errors.New("usage: attack flood ADDRESS PATH COUNT")
	}
	if _, err := fmt.Sscan(args[2], &count); err != nil {
		return err
	}
	attacker := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}, Timeout: patience}
	for range count {
		c, err := attacker.Dial("tcp", args[0])
		if err != nil {
			return err
		}
		defer c.Close()
	}
	for _, from := range []net.IP{net.IPv4(127, 0, 0, 3), net.IPv4(127, 0, 0, 2)} {
		dialer := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}}
		web := http.Client{Timeout: patience, Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}}
		resp, err := web.Get("http://" + args[0] + args[1])
		if err != nil {
			return fmt.Errorf("from %s: %w", from, err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			return fmt.Errorf("from %s: %s", from, resp.Status)
		}
	}
	return nil
}
