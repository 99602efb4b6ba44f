package keyfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// maxSize is larger than any key's file, in bytes.
const maxSize = 64 << 10

// ErrFile is the kind of every refusal of a file.
var ErrFile = errors.New("the key file can't be used")

// Read reads a file that only its owner, root or this user, can access. It
// checks the file that it opened, not the path, so that nobody can swap it in
// between. The caller clears the content.
func Read(path string) ([]byte, error) {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not block the open
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	if err := checkPrivate(path, info); err != nil {
		return nil, err
	}
	content := make([]byte, maxSize+1)
	n, err := io.ReadFull(file, content)
	switch {
	case err == nil:
		clear(content)
		return nil, fmt.Errorf("%w: %s is larger than %d bytes; give the private key alone", ErrFile, path, maxSize)
	case !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF):
		clear(content)
		return nil, fmt.Errorf("%w: %w", ErrFile, err)
	}
	return content[:n], nil
}

func checkPrivate(path string, info os.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s isn't a regular file; save the key in a file that only you can read", ErrFile, path)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return fmt.Errorf("%w: %s has mode %04o, so other users may have read the key; run chmod 600 %s, or better, get a new key",
			ErrFile, path, mode, path)
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if self := os.Geteuid(); ok && stat.Uid != 0 && int(stat.Uid) != self {
		return fmt.Errorf("%w: %s belongs to user %d, who has read the key; run this command as that user, or get a new key", ErrFile, path, stat.Uid)
	}
	return nil
}
