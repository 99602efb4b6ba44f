// Package frozendisk has disks that stop answering, for tests: a write to one
// waits until it thaws.
package frozendisk

import (
	"testing"
)

// Disk is a directory on a disk of its own.
type Disk struct {
	Dir    string
	medium medium
	frozen bool
}

// medium is what a Disk is made of.
type medium interface {
	freeze() error
	thaw() error
}

// New makes a disk that works, and removes it when the test ends. It returns
// nil if this process can't mount one, which takes root: the test then logs
// what covers its case elsewhere.
//
// With loop devices it is an ext4 that FIFREEZE freezes; a thread that waits
// for it can't even be killed. Otherwise it is a directory over which a FUSE
// file system without a server is mounted while it is frozen.
func New(t testing.TB) *Disk {
	t.Helper()
	dir := t.TempDir()
	mounted, err := newExt4(t, dir)
	if err == nil {
		return &Disk{Dir: dir, medium: mounted}
	}
	t.Logf("no ext4 to freeze: %v", err)
	return NewMute(t)
}

// NewMute is New for a disk that answers nothing while it is frozen, not even
// reads.
func NewMute(t testing.TB) *Disk {
	t.Helper()
	fuse := &serverless{dir: t.TempDir()}
	if err := fuse.freeze(); err != nil {
		t.Logf("no disk to freeze: %v", err)
		return nil
	}
	if err := fuse.thaw(); err != nil {
		t.Fatal(err)
	}
	return &Disk{Dir: fuse.dir, medium: fuse}
}

// Freeze makes the disk stop answering until Thaw, or until the test ends.
func (d *Disk) Freeze(t testing.TB) {
	t.Helper()
	if err := d.medium.freeze(); err != nil {
		t.Fatalf("freeze the disk: %v", err)
	}
	d.frozen = true
	t.Cleanup(func() { d.Thaw(t) })
}

// Thaw makes the disk answer again, unless it does already.
func (d *Disk) Thaw(t testing.TB) {
	t.Helper()
	if !d.frozen {
		return
	}
	d.frozen = false
	if err := d.medium.thaw(); err != nil {
		t.Errorf("thaw the disk: %v", err)
	}
}
