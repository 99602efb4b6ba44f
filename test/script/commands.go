package script

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/assertd/assertd/client"
	"github.com/assertd/assertd/ipc"
)

// await waits until the daemon on a socket is ready to sign or, with a reason,
// says that it isn't for that reason:
//
//	await SOCKET [REASON]
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: await SOCKET [REASON]")
	}
	c, err := client.New(ts.MkAbs(args[0]))
	ts.Check(err)
	defer c.Close()
	if len(args) == 1 {
		ts.Check(AwaitWorkers(context.Background(), c))
		return
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := c.Ready(context.Background())
		if err == nil && answer.Reason == args[1] {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("not %s after 30 s: %+v, %v", args[1], answer, err)
		}
	}
}

// AwaitWorkers waits until the daemon and all of its workers are ready. One
// ready worker is enough to sign, but while another logs in SoftHSM rewrites
// the token's file, and a program that opens the token at that moment does not
// find it.
func AwaitWorkers(ctx context.Context, c *client.Client) error {
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		answer, err := c.Ready(ctx)
		starting := slices.ContainsFunc(answer.Workers, func(w ipc.WorkerState) bool { return w.State != ipc.WorkerReady })
		if err == nil && answer.Ready && !starting {
			return nil
		}
		if time.Now().After(end) {
			return fmt.Errorf("not ready after 30 s: %+v, %v", answer, err)
		}
	}
}

// replace replaces text in a file, which must contain it:
//
//	replace FILE OLD NEW
func replace(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: replace FILE OLD NEW")
	}
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], `\n`, "\n")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s does not contain %q", args[0], args[1])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.ReplaceAll(text, args[1], args[2])), 0o600))
}

// lines waits until COUNT lines of a file contain a text:
//
//	lines COUNT FILE TEXT
func lines(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: lines COUNT FILE TEXT")
	}
	var found int
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		found = 0
		for line := range strings.Lines(ts.ReadFile(args[1])) {
			if strings.Contains(line, args[2]) {
				found++
			}
		}
		if args[0] == string(rune('0'+found)) {
			return
		}
	}
	ts.Fatalf("%d lines of %s contain %q, want %s", found, args[1], args[2], args[0])
}

// retry runs a command until it succeeds, for changes that take a moment:
//
//	retry COMMAND [ARG ...]
func retry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: retry COMMAND [ARG ...]")
	}
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if err = ts.Exec(args[0], args[1:]...); err == nil {
			return
		}
	}
	ts.Fatalf("%s: %v", strings.Join(args, " "), err)
}

// capture sets a variable to what the group of a pattern matches in a file, by
// default in the last output:
//
//	capture NAME PATTERN [FILE]
func capture(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: capture NAME PATTERN [FILE]")
	}
	file := "stdout"
	if len(args) == 3 {
		file = args[2]
	}
	match := regexp.MustCompile("(?m)" + args[1]).FindStringSubmatch(ts.ReadFile(file))
	if len(match) < 2 {
		ts.Fatalf("%s does not match %q", file, args[1])
	}
	ts.Setenv(args[0], match[1])
}
