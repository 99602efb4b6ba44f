package server

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/assertd/assertd/ipc"
)

// A freeze goes to the operator with who asked for it, whole or not at all.
func TestFreezeRoutes(t *testing.T) {
	operator := &fakeOperator{}
	client, _ := serveOperator(t, operator)
	self := fmt.Sprintf(`"pid":%d`, os.Getpid())
	for _, test := range []struct {
		path, body string
		status     int
		want       string
	}{
		{"/v1/freeze", `{"client":"a","grant":"b","for_seconds":60,"reason":"why"}`, 200, self},
		{"/v1/freeze", `{"all":true,"reason":"why"}`, 200, `"all":true`},
		{"/v1/freeze", `{"key":"k","key":"l","reason":"why"}`, 400, "given twice"},
		{"/v1/freeze", `{"key":"k","reasn":"why"}`, 400, "for_seconds and reason"},
		{"/v1/freeze", `{"all":"yes"}`, 400, "true or false"},
		{"/v1/freeze", `{"all":true,"for_seconds":0}`, 400, "whole number of seconds"},
		{"/v1/freeze", `{"all":true} {}`, 400, "after the JSON document"},
		{"/v1/freeze", "", 400, "body is empty"},
		{"/v1/freeze", strings.Repeat(" ", maxFreezeBody+1), 413, "request-too-large"},
		{"/v1/thaw", `{"key":"k"}`, 200, `"key":"k"`},
		{"/v1/thaw", `{"key":"k","reason":"why"}`, 400, "client, grant, key and all"},
	} {
		response, err := client.Post("http://assertd"+test.path, "application/json", strings.NewReader(test.body))
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || response.StatusCode != test.status || !strings.Contains(string(body), test.want) {
			t.Errorf("%s %.60s: %d %s, %v; want %d with %s", test.path, test.body, response.StatusCode, body, err, test.status, test.want)
		}
	}
	if want := (ipc.FreezeRequest{FreezeTarget: ipc.FreezeTarget{All: true}, Reason: "why"}); operator.frozen != want {
		t.Errorf("the operator got %+v last", operator.frozen)
	}
	operator.reloadErr = errors.New("the configuration has no key set k")
	response, err := client.Post("http://assertd/v1/freeze", "application/json", strings.NewReader(`{"key":"k","reason":"why"}`))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if body, _ := io.ReadAll(response.Body); response.StatusCode != 409 || !strings.Contains(string(body), `"code":"freeze-refused"`) || !strings.Contains(string(body), "no key set k") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}
