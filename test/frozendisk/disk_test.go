package frozendisk

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestAFrozenDiskDoesNotAnswer(t *testing.T) {
	d := New(t)
	if d == nil {
		t.Log("can't mount a disk; TestWriterGivesUp in internal/atomicfile needs none")
		return
	}
	writesWhenThawed(t, d)
	fuse := &serverless{dir: t.TempDir()}
	if err := fuse.freeze(); err != nil {
		t.Logf("no FUSE: %v", err)
		return
	}
	if err := fuse.thaw(); err != nil {
		t.Fatal(err)
	}
	writesWhenThawed(t, &Disk{Dir: fuse.dir, medium: fuse})
}

// writesWhenThawed writes from another process: this one could not exit.
func writesWhenThawed(t *testing.T, d *Disk) {
	t.Helper()
	file := filepath.Join(d.Dir, "file")
	write := func() <-chan struct{} {
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			exec.Command("sh", "-c", "echo text >"+file).Run() // fails on FUSE
		}()
		return ended
	}
	<-write()
	if _, err := os.Stat(file); err != nil {
		t.Fatal(err)
	}
	d.Freeze(t)
	waiting := write()
	select {
	case <-waiting:
		t.Error("a write to a frozen disk did not wait")
	case <-time.After(time.Second):
	}
	d.Thaw(t)
	select {
	case <-waiting:
	case <-time.After(20 * time.Second):
		t.Error("the write still waits")
	}
}
