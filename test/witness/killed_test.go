package witness_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/audit"
	"github.com/assertd/assertd/internal/audit/witness"
	"github.com/assertd/assertd/internal/logging"
)

// writerMark makes the test binary a process that writes a log until it is
// killed. Its value is the file of the log, and the URL and key of its witness.
const writerMark = "ASSERTD_WITNESS_TEST_WRITER"

// killedKey signs the checkpoints of that log.
func killedKey() ed25519.PrivateKey { return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, 32)) }

// write prints a line once the witness was asked, and then writes without end.
func write(mark string) error {
	part := strings.Fields(mark)
	key, err := witness.ParseKey(part[2])
	if err != nil {
		return err
	}
	log, err := audit.Open(options(part[0], killedKey()))
	if err != nil {
		return err
	}
	group := witness.New(witness.Options{
		Log: log, Witnesses: []witness.Config{{URL: part[1], Key: key}}, Quorum: 1, Now: time.Now, Logger: logging.Discard,
	})
	ctx := context.Background()
	go func() { fmt.Fprintln(os.Stderr, log.Run(ctx)) }() // never ends
	if err := group.Start(ctx); err != nil {
		return err
	}
	go func() {
		for i := 0; ; i++ {
			_ = log.Append(ctx, audit.Record{Kind: audit.KindAssertion, JTI: fmt.Sprint(i)}) // the parent only kills
		}
	}()
	fmt.Println("started")
	return group.Run(ctx)
}

// The daemon is killed at any moment: between the checkpoint and its answer,
// between the answer and the cosignature, during a rotation. No start takes
// that for a rollback, and none needs an archive other than the newest.
func TestKilledWithAWitness(t *testing.T) {
	w := newWitness(t, "one.example/w")
	l := newLog(t)
	l.private = killedKey()
	w.knows(l.origin, l.publicKey())
	for range 25 {
		killWriter(t, strings.Join([]string{l.file(), w.URL, w.Key}, " "))
		removeAllButNewest(t, l.file())
	}
	r := l.mustStart(1, w)
	r.awaitCosigned()
	r.stop()
	if l.verify(1, w) == 0 {
		t.Error("nothing is cosigned")
	}
}

func killWriter(t *testing.T, mark string) {
	t.Helper()
	writer := exec.Command(os.Args[0])
	writer.Env = append(os.Environ(), writerMark+"="+mark)
	var stderr bytes.Buffer
	writer.Stderr = &stderr
	out, err := writer.StdoutPipe()
	check(t, err)
	check(t, writer.Start())
	if _, err := out.Read(make([]byte, 1)); err != nil {
		_ = writer.Wait()
		t.Fatalf("the log did not start: %v: %s", err, stderr.String())
	}
	time.Sleep(rand.N(300 * time.Millisecond))
	check(t, writer.Process.Kill())
	_ = writer.Wait()
}

// removeAllButNewest keeps what a start may need: the current file and the
// newest archive.
func removeAllButNewest(t *testing.T, file string) {
	t.Helper()
	files, err := audit.Files(file)
	check(t, err)
	files = slices.DeleteFunc(files, func(f string) bool { return f == file })
	slices.Sort(files)
	for i, f := range files {
		if i < len(files)-1 {
			check(t, os.Remove(f))
		}
	}
}
