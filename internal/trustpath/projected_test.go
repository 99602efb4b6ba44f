package trustpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// reads is the environment variable with the path of a secret: the test binary
// then reads it and does nothing else.
const reads = "ASSERTD_TEST_READS"

func TestMain(m *testing.M) {
	path := os.Getenv(reads)
	if path == "" {
		os.Exit(m.Run())
	}
	text, err := Rules{}.Read(path, Secret, 100)
	fmt.Printf("%s%v", text, err)
}

// TestProjectedVolume reads a secret from a volume as the kubelet makes it: a
// tmpfs that everyone can write to, with the sticky bit; a directory with the
// time in its name; and links to it. All belong to root, and the group of the
// pod (fsGroup) can read the file.
func TestProjectedVolume(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make such a volume
	}
	const pod, fsGroup = 10001, 20001
	volume := filepath.Join(t.TempDir(), "volume")
	dated := filepath.Join(volume, "..2026_11_28_12_00_00.1234567890")
	file := filepath.Join(dated, "pin")
	err := errors.Join(
		os.MkdirAll(dated, 0o755), os.WriteFile(file, []byte(content), 0o400),
		os.Symlink(filepath.Base(dated), filepath.Join(volume, "..data")), os.Symlink("..data/pin", filepath.Join(volume, "pin")),
		os.Chown(volume, 0, fsGroup), os.Chown(dated, 0, fsGroup), os.Chown(file, 0, fsGroup),
		os.Chmod(volume, 0o777|fs.ModeSticky|fs.ModeSetgid), os.Chmod(dated, 0o755|fs.ModeSetgid), os.Chmod(file, 0o440),
		os.Chmod(filepath.Dir(volume), 0o755), os.Chmod(filepath.Dir(filepath.Dir(volume)), 0o755),
	)
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		groups  []uint32
		mode    fs.FileMode
		trusted bool
	}{
		"in the group":                  {[]uint32{fsGroup}, 0o440, true},
		"others can read it":            {[]uint32{fsGroup}, 0o444, false},
		"not in the group":              {nil, 0o440, false},
		"another group can write to it": {[]uint32{fsGroup}, 0o460, false},
	} {
		t.Run(name, func(t *testing.T) {
			if err := os.Chmod(file, test.mode); err != nil {
				t.Fatal(err)
			}
			child := exec.Command("/proc/self/exe")
			child.Env = append(os.Environ(), reads+"="+filepath.Join(volume, "pin"))
			child.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: pod, Gid: pod, Groups: test.groups}}
			out, err := child.CombinedOutput()
			if err != nil || (string(out) == content+"<nil>") != test.trusted {
				t.Errorf("%s, %v", out, err)
			}
		})
	}
}
