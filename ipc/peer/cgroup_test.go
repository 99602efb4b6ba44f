package peer

import (
	"strings"
	"testing"
)

func TestParseCgroup(t *testing.T) {
	id := strings.Repeat("0123456789abcdef", 4)
	other := strings.Repeat("f", 64)
	for _, c := range []struct{ path, unit, container string }{
		{"/", "", ""},
		{"/init.scope", "init.scope", ""},
		{"/system.slice/payments.service", "payments.service", ""},
		{"/system.slice/payments.service/worker", "payments.service", ""},
		{"/system.slice/system-pay.slice/pay@1.service", "pay@1.service", ""},
		{"/system.slice/_cgroup.service", "cgroup.service", ""},
		{"/system.slice", "", ""},
		{"/system.slice/.service", "", ""},
		{"/custom/payments.service", "", ""},
		// A user's own manager may choose any unit name.
		{"/user.slice/user-1000.slice/user@1000.service/app.slice/payments.service", "user@1000.service", ""},
		{"/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope/container", "user@1000.service", ""},
		{"/user.slice/user-1000.slice/session-2.scope", "session-2.scope", ""},
		// A unit with delegation may create cgroups with any name.
		{"/system.slice/evil.service/docker-" + id + ".scope", "evil.service", ""},
		{"/system.slice/evil.service/docker/" + id, "evil.service", ""},
		{"/evil.service/kubepods/pod1/" + id, "evil.service", ""},
		// Docker.
		{"/system.slice/docker-" + id + ".scope", "docker-" + id + ".scope", id},
		{"/system.slice/docker-" + id + ".scope/docker/" + other, "docker-" + id + ".scope", id},
		{"/docker/" + id, "", id},
		{"/docker/" + id + "/docker/" + other, "", id},
		{"/docker/buildkit/" + id, "", ""},
		// containerd and CRI-O under Kubernetes.
		{"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podab_cd.slice/cri-containerd-" + id + ".scope", "cri-containerd-" + id + ".scope", id},
		{"/kubepods.slice/kubepods-podab_cd.slice/crio-" + id + ".scope/container", "crio-" + id + ".scope", id},
		{"/kubepods.slice/kubepods-podab_cd.slice/crio-conmon-" + id + ".scope", "crio-conmon-" + id + ".scope", ""},
		{"/kubepods/burstable/podab-cd/" + id, "", id},
		{"/kubepods/podab-cd/" + id + "/init", "", id},
		{"/kubepods/podab-cd/crio-" + id, "", id},
		{"/kubepods/burstable/podab-cd", "", ""},
		{"/kubepods.slice/kubepods-burstable.slice", "", ""},
		// Podman.
		{"/machine.slice/libpod-" + id + ".scope/container", "libpod-" + id + ".scope", id},
		{"/machine.slice/libpod-conmon-" + id + ".scope", "libpod-conmon-" + id + ".scope", ""},
		{"/libpod_parent/libpod-" + id, "", id},
		// Not an ID.
		{"/system.slice/docker-" + id[1:] + ".scope", "docker-" + id[1:] + ".scope", ""},
		{"/system.slice/docker-" + strings.ToUpper(id) + ".scope", "docker-" + strings.ToUpper(id) + ".scope", ""},
	} {
		unit, container := parseCgroup(c.path)
		if unit != c.unit || container != c.container {
			t.Errorf("%s: unit %q container %q, want %q %q", c.path, unit, container, c.unit, c.container)
		}
	}
}

func TestCgroupV2Path(t *testing.T) {
	for _, c := range []struct{ file, path, fails string }{
		{"0::/system.slice/a.service\n", "/system.slice/a.service", ""},
		{"12:cpu:/x\n1:name=systemd:/y\n0::/z\n", "/z", ""},
		{"12:cpu:/x\n1:name=systemd:/system.slice/a.service\n", "", "no cgroup v2"},
		{"", "", "no cgroup v2"},
		{"0::/../../other", "", "namespace"},
		{"0::/gone (deleted)\n", "", "deleted"},
		{"0::relative\n", "", "absolute"},
	} {
		path, err := cgroupV2Path(c.file)
		if path != c.path || (err == nil) != (c.fails == "") || (err != nil && !strings.Contains(err.Error(), c.fails)) {
			t.Errorf("%q: %q %v", c.file, path, err)
		}
	}
}

// FuzzParseCgroup: a container ID is always complete, and nothing below a unit
// counts.
func FuzzParseCgroup(f *testing.F) {
	id := strings.Repeat("a", 64)
	for _, seed := range []string{"/", "/system.slice/a.service/b", "/docker/" + id, "/kubepods/burstable/podx/" + id, "//..//", "/system.slice/docker-" + id + ".scope"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		unit, container := parseCgroup(path)
		if container != "" && !isContainerID(container) {
			t.Errorf("container %q", container)
		}
		if strings.Contains(unit, "/") || (unit != "" && !isUnit("x"+unit)) {
			t.Errorf("unit %q", unit)
		}
		below := "/docker-" + id + ".scope/docker/" + id
		if strings.HasSuffix(path, ".service") && unit != "" {
			u, c := parseCgroup(path + below)
			if u != unit || c != container {
				t.Errorf("%q below %q: %q %q", below, path, u, c)
			}
		}
	})
}
