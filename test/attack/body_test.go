package attack

import (
	"fmt"
	"net/http"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// bodies are those that a script can't contain.
var bodies = map[string]struct{ path, body string }{
	"utf8":  {"/v1/assertions", "{\"grant\":\"exampl\xff\"}"},
	"utf16": {"/v1/assertions", "\xff\xfe{\x00}\x00"},
	"bom":   {"/v1/assertions", "\ufeff{}"},
	"nul":   {"/v1/assertions", "{}\x00"},
	"deep":  {"/v1/assertions", `{"claims":{"scope":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + "}}"},
	"large": {"/v1/assertions", `{"claims":{"scope":"` + strings.Repeat("r", 1<<20) + `"}}`},
	"batch": {"/v1/assertions/batch", `{"requests":[{}` + strings.Repeat(",{}", 1000) + "]}"},
}

// sendBody sends one of bodies:
//
//	attack body WANT NAME
func sendBody(ts *testscript.TestScript, args []string) error {
	if len(args) != 2 || bodies[args[1]].path == "" {
		return fmt.Errorf("usage: attack body WANT NAME")
	}
	got, err := call(ts, http.MethodPost, bodies[args[1]].path, bodies[args[1]].body)
	if err != nil || got.is(args[0]) {
		return err
	}
	return fmt.Errorf("want %s, got %s", args[0], got.verdict())
}

// parallel asks for many assertions at the same time:
//
//	attack parallel WANT COUNT
func parallel(ts *testscript.TestScript, args []string) error {
	var count int
	if len(args) != 2 {
		return fmt.Errorf("usage: attack parallel WANT COUNT")
	}
	if _, err := fmt.Sscan(args[1], &count); err != nil {
		return err
	}
	errs := make([]error, count)
	var asking sync.WaitGroup
	for i := range errs {
		asking.Go(func() {
			got, err := send(ts, http.MethodPost, "/v1/assertions", "{}")
			if err == nil && !got.is(args[0]) {
				err = fmt.Errorf("want %s, got %s", args[0], got.verdict())
			}
			errs[i] = err
		})
	}
	asking.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
