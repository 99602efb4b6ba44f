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

var errTooLargeToHash = fmt.Errorf("the program is larger than the %d MiB that are hashed", maxHashed>>20)

const (
	// maxHashed is the largest program that is hashed, in bytes: reading more
	// would let a caller occupy the daemon.
	maxHashed = 256 << 20
	// hashCacheSize is how many programs' hashes are remembered.
	hashCacheSize = 1024
	// settled is the age from which a file's change time tells versions apart. A
	// clock that ticks every few milliseconds gives two writes in quick succession
	// the same one, so the hash of a younger file is not remembered.
	settled = 2 * time.Second
)

// fileVersion tells one content of a file from another: any write changes ctime,
// which no process can set.
type fileVersion struct {
	dev, ino     uint64
	size         int64
	ctimeS, ctNs int64
}

// hashCache remembers the SHA-256 of programs, the least recently used going first.
type hashCache struct {
	mu     sync.Mutex
	byFile map[fileVersion]*list.Element
	recent *list.List // of hashEntry, the most recent first
	size   int
	now    func() time.Time
	trust  func(fd int) error // refuses a file whose stat says nothing about its content
	// reading is held while a file is read, so that callers can't occupy more
	// than one core with it.
	reading sync.Mutex
}

type hashEntry struct {
	version fileVersion
	sum     string
}

func newHashCache(size int, now func() time.Time) *hashCache {
	return &hashCache{byFile: make(map[fileVersion]*list.Element), recent: list.New(), size: size, now: now, trust: refuseUserFilesystem}
}

func (v fileVersion) changed() time.Time { return time.Unix(v.ctimeS, v.ctNs) }

// sum returns the hash of the file behind an O_PATH descriptor. The file system is
// looked at before the memory: device numbers of unmounted file systems are given
// out again, and a FUSE server could claim to be a remembered file.
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
		return "", errors.New("the program's file changed while it was read")
	}
	if age := c.now().Sub(version.changed()); age > settled {
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

// hashFile reads the file and returns its version as it was afterwards.
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

// refuseUserFilesystem refuses FUSE: its server, any user's program, can answer
// one read with a trusted program and the next with another, and choose every
// number that stat(2) gives.
func refuseUserFilesystem(fd int) error {
	var fs unix.Statfs_t
	if err := unix.Fstatfs(fd, &fs); err != nil {
		return os.NewSyscallError("fstatfs", err)
	}
	if int64(fs.Type) == unix.FUSE_SUPER_MAGIC {
		return errors.New("the program lies on a FUSE file system, which can change it at will")
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
