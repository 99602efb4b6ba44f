package attack

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/ipc"
)

// patience is how long an attack waits for an answer, on a slow machine.
const patience = time.Minute

// answer is what the daemon sent.
type answer struct {
	status int
	body   []byte
}

// call sends one request to $ASSERTD_SOCKET and prints the answer.
func call(ts *testscript.TestScript, method, path, body string) (answer, error) {
	got, err := send(ts, method, path, body)
	if err == nil {
		fmt.Fprintf(ts.Stdout(), "%d\n%s\n%s", got.status, got.body, got.decoded())
	}
	return got, err
}

func send(ts *testscript.TestScript, method, path, body string) (answer, error) {
	socket := ts.MkAbs(ts.Getenv("ASSERTD_SOCKET"))
	web := http.Client{Timeout: patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
	req, err := http.NewRequest(method, "http://assertd"+path, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := web.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	got := answer{status: resp.StatusCode}
	got.body, err = io.ReadAll(resp.Body)
	return got, err
}

// is reports whether the answer is what a script wants.
func (a answer) is(want string) bool {
	return a.verdict() == want || strconv.Itoa(a.status) == want
}

// verdict is `signed`, an error code, or the status.
func (a answer) verdict() string {
	var member struct {
		Code      ipc.Code
		Assertion string
		Signature string
	}
	if err := json.Unmarshal(a.body, &member); err != nil {
		return strconv.Itoa(a.status)
	}
	switch {
	case member.Assertion != "" || member.Signature != "":
		return "signed"
	case member.Code != "":
		return string(member.Code)
	}
	return strconv.Itoa(a.status)
}

// decoded returns the header and the claims of an assertion, a line each.
func (a answer) decoded() string {
	var member struct{ Assertion string }
	if err := json.Unmarshal(a.body, &member); err != nil || member.Assertion == "" {
		return ""
	}
	var text strings.Builder
	for _, part := range strings.Split(member.Assertion, ".")[:2] {
		decoded, err := base64.RawURLEncoding.DecodeString(part)
		if err != nil {
			return err.Error()
		}
		text.Write(append(decoded, '\n'))
	}
	return text.String()
}
