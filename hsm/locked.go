package hsm

import "golang.org/x/sys/unix"

// lockedCopy copies a secret to memory of its own that is not swapped out and not in core files, as far as the system
// lets the process: RLIMIT_MEMLOCK may forbid the first. The copy lies outside Go's heap, so the collector never moves
// or keeps it; release gives it back.
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

// release overwrites a copy and gives its memory back.
func release(copied []byte) {
	clear(copied)
	_ = unix.Munmap(copied) // refused for one that Go's heap had to hold
}
