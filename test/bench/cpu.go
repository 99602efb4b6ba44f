package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// cpuTime adds up what the scheduler has counted for all threads of the processes, in nanoseconds where /proc/PID/stat
// has ticks of 10 ms. Processes that are gone count nothing.
func cpuTime(pids ...int) (total time.Duration) {
	for _, pid := range pids {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid)) // the pattern is valid
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

// childrenOf lists the processes whose parent is pid.
func childrenOf(pid int) (children []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		text, _ := os.ReadFile(file)
		_, rest, _ := strings.Cut(string(text), ") ") // the name before it may hold anything
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
