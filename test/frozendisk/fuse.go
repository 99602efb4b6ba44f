package frozendisk

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// serverless is a directory that a FUSE file system hides while it is frozen.
// Nobody answers its requests.
type serverless struct {
	dir    string
	server *os.File
}

func (s *serverless) freeze() (err error) {
	if s.server, err = os.OpenFile("/dev/fuse", os.O_RDWR, 0); err != nil {
		return err
	}
	options := fmt.Sprintf("fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", s.server.Fd())
	if err := unix.Mount("frozen", s.dir, "fuse", unix.MS_NOSUID|unix.MS_NODEV, options); err != nil {
		return errors.Join(fmt.Errorf("mount FUSE: %w", err), s.server.Close())
	}
	return nil
}

// thaw fails the requests that wait.
func (s *serverless) thaw() error {
	return errors.Join(unix.Unmount(s.dir, unix.MNT_DETACH), s.server.Close())
}
