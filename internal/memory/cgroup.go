package memory

import (
	"math"
	"os"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
)

// share is the part of a control group's memory that the front may fill before
// it collects harder. The rest is for the workers and other children, which are
// in the same group: about 80 MB with SoftHSM.
const share = 0.75

// HonorCgroup makes the collector keep the process below three quarters of the
// memory limit of its control group (cgroup v2 memory.max), and returns that
// limit in bytes, or 0 if there is none. GOMEMLIMIT in the environment takes
// precedence.
func HonorCgroup() int64 {
	if os.Getenv("GOMEMLIMIT") != "" {
		return 0
	}
	groups, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	limit := limitOf("/sys/fs/cgroup", string(groups))
	if limit > 0 {
		debug.SetMemoryLimit(limit)
	}
	return limit
}

// limitOf returns the share of the lowest memory.max from a process's group up
// to root, or 0. groups is its /proc/PID/cgroup.
func limitOf(root, groups string) int64 {
	lowest := int64(math.MaxInt64)
	for line := range strings.Lines(groups) {
		group, ok := strings.CutPrefix(strings.TrimSpace(line), "0::")
		if !ok {
			continue
		}
		for group = filepath.Clean("/" + group); ; group = filepath.Dir(group) {
			lowest = min(lowest, maximum(filepath.Join(root, group, "memory.max")))
			if group == "/" {
				break
			}
		}
	}
	if lowest == math.MaxInt64 {
		return 0
	}
	return int64(float64(lowest) * share)
}

// maximum reads a memory.max. A file that is missing or says "max" sets no
// limit.
func maximum(path string) int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return math.MaxInt64
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || limit <= 0 {
		return math.MaxInt64
	}
	return limit
}
