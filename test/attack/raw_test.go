package attack

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// raw sends a file on one connection, with CRLF at the end of each line, and
// compares the statuses of all responses before the daemon closes the
// connection. An address with a colon is TCP. WANT `none` is no response.
// `open` after the statuses means that the connection stays open.
//
//	raw ADDRESS FILE WANT...
func raw(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 {
		ts.Fatalf("usage: raw ADDRESS FILE WANT...")
	}
	text := crlf(ts.ReadFile(args[1]))
	want := args[2:]
	c, err := dial(ts, args[0])
	var got []string
	if err == nil {
		defer c.Close()
		got, err = exchange(c, text, slices.Contains(want, "open"), len(want))
		fmt.Fprintln(ts.Stdout(), strings.Join(got, " "))
	}
	if err == nil && !slices.Equal(got, want) {
		err = fmt.Errorf("want %v, got %v", want, got)
	}
	attacked(ts, args[1], err)
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }

func dial(ts *testscript.TestScript, address string) (net.Conn, error) {
	network := "unix"
	if strings.Contains(address, ":") {
		network = "tcp"
	} else {
		address = ts.MkAbs(address)
	}
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		return nil, err
	}
	return c, c.SetDeadline(time.Now().Add(patience))
}

// exchange sends text and returns the statuses of the responses, `none` if
// there are none. If the connection should stay open, it reads only as many as
// it wants, and then proves that nobody closes it.
func exchange(c net.Conn, text string, open bool, wanted int) ([]string, error) {
	go func() { _, _ = io.WriteString(c, text) }() // the daemon may close before it has read everything
	var got []string
	reader := bufio.NewReader(c)
	for !open || len(got) < wanted-1 {
		method, _, _ := strings.Cut(text, " ")
		resp, err := http.ReadResponse(reader, &http.Request{Method: method})
		if err != nil {
			return ended(got, err)
		}
		got = append(got, strconv.Itoa(resp.StatusCode))
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			return ended(got, err)
		}
	}
	return append(got, stillOpen(c, reader)), nil
}

func ended(got []string, err error) ([]string, error) {
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return got, fmt.Errorf("the connection stays open after %v", got)
	}
	if len(got) == 0 {
		got = []string{"none"}
	}
	return got, nil
}

// stillOpen sends another request, which only an open connection answers.
func stillOpen(c net.Conn, reader *bufio.Reader) string {
	_, err := io.WriteString(c, "GET /v1/health HTTP/1.1\r\nHost: x\r\n\r\n")
	if err != nil {
		return "closed"
	}
	if _, err := http.ReadResponse(reader, nil); err != nil {
		return "closed"
	}
	return "open"
}
