package peer

import (
	"container/list"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

var errTooLargeToHash = fmt.Errorf("the program is larger than %d MiB, the most that is hashed", maxHashed>>20)

const (
	// maxHashed is the size of the largest program that is hashed, in bytes. With
	// more, a caller could keep the daemon busy.
	maxHashed = 256 << 20
	// hashCacheSize is how many hashes are cached.
	hashCacheSize = 1024
	// minCacheAge is how old a change must be before the file's hash is cached.
	// The clock ticks every few milliseconds, so two writes in quick succession
	// may leave the same change time.
	minCacheAge = 2 * time.Second
)

// fileVersion identifies a file and its content. Every write changes ctime, and
// no process can set it.
type fileVersion struct {
	dev, ino     uint64
	size         int64
	ctimeS, ctNs int64
}

// hashCache caches the SHA-256 of programs. The least recently used one goes
// first.
type hashCache struct {
	mu     sync.Mutex
	byFile map[fileVersion]*list.Element
	recent *list.List // of hashEntry, most recent first
	size   int
	now    func() time.Time
	trust  func(fd int) error // refuses a file whose stat can't be trusted
	// reading is held while a file is read, so that callers can keep at most one
	// core busy.
	reading sync.Mutex
}

type hashEntry struct {
	version fileVersion
	sum     string
}

func newHashCache(size int, now func() time.Time) *hashCache {
	return &hashCache{byFile: make(map[fileVersion]*list.Element), recent: list.New(), size: size, now: now, trust: checkFilesystem}
}

func (v fileVersion) changed() time.Time { return time.Unix(v.ctimeS, v.ctNs) }

// sum returns the hash of the file behind an O_PATH descriptor. It checks the
// file system before the cache: device numbers are reused after an unmount, so
// a FUSE server could claim to be a cached file.
func (c *hashCache) sum(pathFD int) (string, error) {
	if err := c.trust(pathFD); err != nil {
		return "", err
	}
	version, err := statVersion(pathFD)
	if err != nil {
		return "", err
	}
	if sum, ok := c.get(version); ok {
		return sum, nil
	}
	c.reading.Lock()
	defer c.reading.Unlock()
	if sum, ok := c.get(version); ok {
		return sum, nil
	}
	sum, read, err := hashFile(pathFD)
	if err != nil {
		return "", err
	}
	if read != version {
		return "", errors.New("the program's file changed while it was being read")
	}
	if age := c.now().Sub(version.changed()); age > minCacheAge {
		c.put(version, sum)
	}
	return sum, nil
}

func (c *hashCache) get(v fileVersion) (string, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.byFile[v]
	if !ok {
		return "", false
	}
	c.recent.MoveToFront(e)
	return e.Value.(hashEntry).sum, true
}

func (c *hashCache) put(v fileVersion, sum string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.byFile[v] = c.recent.PushFront(hashEntry{v, sum})
	if c.recent.Len() > c.size {
		oldest := c.recent.Remove(c.recent.Back()).(hashEntry)
		delete(c.byFile, oldest.version)
	}
}

// hashFile hashes a file, and returns its version after reading.
func hashFile(pathFD int) (string, fileVersion, error) {
	f, err := os.Open("/proc/self/fd/" + strconv.Itoa(pathFD))
	if err != nil {
		return "", fileVersion{}, err
	}
	defer f.Close()
	version, err := statVersion(int(f.Fd()))
	if err != nil {
		return "", version, err
	}
	if version.size > maxHashed {
		return "", version, errTooLargeToHash
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.LimitReader(f, maxHashed)); err != nil {
		return "", fileVersion{}, err
	}
	version, err = statVersion(int(f.Fd()))
	return hex.EncodeToString(h.Sum(nil)), version, err
}

// checkFilesystem refuses FUSE. Its server may be any user's program: it can
// answer one read with a trusted program and the next with another one, and
// choose every number that stat(2) returns.
func checkFilesystem(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if int64(fs.Type) == unix.FUSE_SUPER_MAGIC {
		return errors.New("the program is on a FUSE file system, whose server can change it at any time")
	}
	return nil
}

func statVersion(fd int) (fileVersion, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return fileVersion{}, os.NewSyscallError("fstat", err)
	}
	return fileVersion{st.Dev, st.Ino, st.Size, int64(st.Ctim.Sec), int64(st.Ctim.Nsec)}, nil
}
