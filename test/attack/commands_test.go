package attack

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/test/script"
)

var commands = map[string]script.Command{
	"assertion":   assertion,
	"sign":        sign,
	"request":     request,
	"raw":         raw,
	"fails":       fails,
	"certificate": certificate,
	"attack":      attack,
}

// functions are the attacks of the command attack. Each returns an error if it
// got through, or could not be made.
var functions = map[string]func(ts *testscript.TestScript, args []string) error{
	"body":     sendBody,
	"flood":    flood,
	"hostile":  hostile,
	"parallel": parallel,
	"trickle":  trickle,
}

// attack runs one of functions:
//
//	attack NAME [ARG ...]
func attack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || functions[args[0]] == nil {
		ts.Fatalf("usage: attack NAME [ARG ...]; see functions in test/attack for the names")
	}
	attacked(ts, strings.Join(args, " "), functions[args[0]](ts, args[1:]))
}

// fails runs a command that must exit with another status than 0:
//
//	fails COMMAND [ARG ...]
func fails(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: fails COMMAND [ARG ...]")
	}
	err := ts.Exec(args[0], args[1:]...)
	if err == nil {
		err = errors.New("succeeded")
	} else {
		err = nil
	}
	attacked(ts, strings.Join(args, " "), err)
}

// assertion asks for an assertion:
//
//	assertion WANT BODY
func assertion(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: assertion WANT BODY")
	}
	ask(ts, args[0], http.MethodPost, "/v1/assertions", args[1])
}

// sign asks for a raw signature:
//
//	sign WANT BODY
func sign(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: sign WANT BODY")
	}
	ask(ts, args[0], http.MethodPost, "/v1/sign", args[1])
}

// request calls the API:
//
//	request WANT METHOD PATH [BODY]
func request(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 3 || len(args) > 4 {
		ts.Fatalf("usage: request WANT METHOD PATH [BODY]")
	}
	body := ""
	if len(args) == 4 {
		body = args[3]
	}
	ask(ts, args[0], args[1], args[2], body)
}

func ask(ts *testscript.TestScript, want, method, path, body string) {
	got, err := call(ts, method, path, body)
	if err == nil && !got.is(want) {
		err = fmt.Errorf("want %s, got %s", want, got.verdict())
	}
	attacked(ts, strings.TrimSpace(method+" "+path+" "+body), err)
}
