package hsm

import "golang.org/x/sys/unix"

// lockedCopy copies a secret to memory of its own that isn't swapped out or
// dumped to core files, as far as the system allows: RLIMIT_MEMLOCK may prevent
// the locking. The copy is outside Go's heap, so the garbage collector never
// moves or keeps it; release frees it.
func lockedCopy(secret []byte) []byte {
	if len(secret) == 0 {
		return nil
	}
	memory, err := unix.Mmap(-1, 0, len(secret), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return append([]byte(nil), secret...)
	}
	_ = unix.Mlock(memory)
	_ = unix.Madvise(memory, unix.MADV_DONTDUMP)
	_ = unix.Madvise(memory, unix.MADV_WIPEONFORK)
	copy(memory, secret)
	return memory
}

// release overwrites a copy and frees its memory.
func release(copied []byte) {
	clear(copied)
	_ = unix.Munmap(copied) // fails for a copy on Go's heap
}
