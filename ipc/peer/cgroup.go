package peer

import (
	"errors"
	"io"
	"os"
	"strings"
)

// maxCgroupFile has room for a path of PATH_MAX bytes and the v1 hierarchies.
const maxCgroupFile = 64 << 10

// readCgroup reads the systemd unit and the container ID from /proc/PID/cgroup.
func readCgroup(file string) (unit, container string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", "", err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxCgroupFile))
	if err != nil {
		return "", "", err
	}
	path, err := cgroupV2Path(string(data))
	if err != nil {
		return "", "", err
	}
	unit, container = parseCgroup(path)
	return unit, container, nil
}

// cgroupV2Path returns the path of the unified hierarchy, cgroups(7).
func cgroupV2Path(file string) (string, error) {
	for line := range strings.Lines(file) {
		path, ok := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		if !ok {
			continue
		}
		switch {
		case !strings.HasPrefix(path, "/"):
			return "", errors.New("the cgroup path is not absolute")
		case strings.HasPrefix(path, "/.."):
			return "", errors.New("the cgroup is outside the daemon's cgroup namespace; run the daemon in the host's namespace")
		case strings.HasSuffix(path, " (deleted)"):
			return "", errors.New("the cgroup was deleted")
		}
		return path, nil
	}
	return "", errors.New("no cgroup v2 (unified) hierarchy; boot with systemd.unified_cgroup_hierarchy=1")
}

// parseCgroup finds the unit and the container in a cgroup v2 path. Only names
// chosen by the system's own managers count: the slices from the root and then
// one unit, as in sd_pid_get_unit(3), or a container runtime's own tree.
// Everything below may be delegated to a user or a container, who can choose
// any name.
func parseCgroup(path string) (unit, container string) {
	segments := strings.Split(strings.Trim(path, "/"), "/")
	if id := cgroupfsContainer(segments); id != "" {
		return "", id
	}
	for len(segments) > 0 && strings.HasSuffix(segments[0], ".slice") {
		segments = segments[1:]
	}
	if len(segments) == 0 || !isUnit(segments[0]) {
		return "", ""
	}
	// systemd escapes names that the kernel reserves with an underscore.
	unit = strings.TrimPrefix(segments[0], "_")
	return unit, scopeContainer(unit)
}

func isUnit(name string) bool {
	for _, suffix := range []string{".service", ".scope", ".socket", ".mount", ".swap"} {
		if len(name) > len(suffix) && strings.HasSuffix(name, suffix) {
			return true
		}
	}
	return false
}

// scopeContainer returns the ID in a runtime's scope (the systemd cgroup
// driver): docker-ID.scope, cri-containerd-ID.scope, crio-ID.scope,
// libpod-ID.scope, nerdctl-ID.scope. Monitors such as crio-conmon-ID.scope are
// not containers.
func scopeContainer(unit string) string {
	name, ok := strings.CutSuffix(unit, ".scope")
	if !ok {
		return ""
	}
	for _, runtime := range []string{"docker-", "cri-containerd-", "crio-", "libpod-", "nerdctl-"} {
		if id, ok := strings.CutPrefix(name, runtime); ok && isContainerID(id) {
			return id
		}
	}
	return ""
}

// cgroupfsContainer returns the ID where a runtime makes its own cgroups (the
// cgroupfs driver): /docker/ID, /kubepods/[QOS/]podUID/ID,
// /libpod_parent/libpod-ID.
func cgroupfsContainer(segments []string) string {
	id := ""
	switch {
	case len(segments) >= 2 && segments[0] == "docker":
		id = segments[1]
	case len(segments) >= 2 && segments[0] == "libpod_parent":
		id = strings.TrimPrefix(segments[1], "libpod-")
	case len(segments) >= 3 && segments[0] == "kubepods" && strings.HasPrefix(segments[1], "pod"):
		id = segments[2]
	case len(segments) >= 4 && segments[0] == "kubepods" && strings.HasPrefix(segments[2], "pod"):
		id = segments[3]
	}
	for _, runtime := range []string{"crio-", "cri-containerd-"} {
		id = strings.TrimPrefix(id, runtime)
	}
	if !isContainerID(id) {
		return ""
	}
	return id
}

// isContainerID reports whether s is 64 lower-case hexadecimal digits.
func isContainerID(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}
