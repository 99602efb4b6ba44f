package main

import (
	"net"
	"strings"
)

// notifier tells systemd how the process does (sd_notify(3)), or nobody where
// the process was not started by it.
func notifier(socket string) func(state string) error {
	if socket == "" {
		return func(string) error { return nil }
	}
	if name, abstract := strings.CutPrefix(socket, "@"); abstract {
		socket = "\x00" + name
	}
	return func(state string) error {
		conn, err := net.Dial("unixgram", socket)
		if err != nil {
			return err
		}
		defer conn.Close()
		_, err = conn.Write([]byte(state))
		return err
	}
}
