package attack

import (
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// trickle sends a file and then one byte a second. The daemon must answer or
// close the connection within a time:
//
//	attack trickle ADDRESS FILE TIME
func trickle(ts *testscript.TestScript, args []string) error {
	if len(args) != 3 {
		return errors.New("usage: attack trickle ADDRESS FILE TIME")
	}
	within, err := time.ParseDuration(args[2])
	if err != nil {
		return err
	}
	c, err := dial(ts, args[0])
	if err != nil {
		return err
	}
	defer c.Close()
	start := time.Now()
	if _, err := io.WriteString(c, crlf(ts.ReadFile(args[1]))); err != nil {
		return err
	}
	go func() {
		for range time.Tick(time.Second) {
			if _, err := io.WriteString(c, "x"); err != nil {
				return
			}
		}
	}()
	if err := c.SetReadDeadline(start.Add(within)); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, c)
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("the connection is still open after %v", within)
	}
	return nil
}
