package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime is the CPU time of all threads of the processes. The scheduler counts
// it in nanoseconds; /proc/PID/stat would have ticks of 10 ms. Processes that
// have exited count as zero.
func cpuTime(pids ...int) (total time.Duration) {
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // fails only for a bad pattern
		for _, thread := range threads {
			var ran int64
			text, _ := os.ReadFile(thread)
			if _, err := fmt.Sscan(string(text), &ran); err == nil {
				total += time.Duration(ran)
			}
		}
	}
	return total
}

// voluntarySwitches is how often threads of the processes have waited.
func voluntarySwitches(pids ...int) (total int64) {
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid)) // fails only for a bad pattern
		for _, thread := range threads {
			n, _ := strconv.ParseInt(valueOf(thread, "voluntary_ctxt_switches"), 10, 64) // 0 for a thread that has ended
			total += n
		}
	}
	return total
}

// childrenOf returns the processes whose parent is pid.
func childrenOf(pid int) (children []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(text), ") ") // the name before it may contain anything
		fields := strings.Fields(rest)
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			children = append(children, child)
		}
	}
	return children
}
