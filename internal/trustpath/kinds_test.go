package trustpath

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user that is neither root nor the one of the tests.
const nobody = 65534

// give makes a file another user's.
func give(t *testing.T, path string) {
	t.Helper()
	if err := os.Lchown(path, nobody, nobody); err != nil {
		t.Fatal(err)
	}
}

func TestForeignOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make such a file
	}
	dir, path := writeFile(t)
	give(t, path)
	if err := readWithin(t, path, File); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), "chown root "+path) {
		t.Errorf("error %v", err)
	}
	for _, rules := range []Rules{{User: nobody}, {Owners: []uint32{nobody}}} {
		if _, err := rules.Read(path, Secret, 100); err != nil {
			t.Errorf("a trusted owner: %v", err)
		}
	}
	link := filepath.Join(dir, "link")
	symlink(t, "/etc/passwd", link)
	give(t, link)
	if err := readWithin(t, link, File); !errors.Is(err, ErrUntrusted) || !strings.Contains(err.Error(), link) {
		t.Errorf("a link of another user: %v", err)
	}
}

// TestSeveralProblems expects all of them at once, each with its command.
func TestSeveralProblems(t *testing.T) {
	dir, path := writeFile(t)
	chmod(t, dir, 0o777)
	chmod(t, path, 0o666)
	_, err := Rules{}.Check(path, Secret)
	if err == nil {
		t.Fatal("trusted")
	}
	for _, want := range []string{"chmod go-w " + dir + "\n", "chmod 600 " + path} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}

func TestSecret(t *testing.T) {
	_, path := writeFile(t)
	for mode, trusted := range map[fs.FileMode]bool{0o600: true, 0o400: true, 0o640: false, 0o440: false, 0o604: false, 0o644: false} {
		chmod(t, path, mode)
		if err := readWithin(t, path, Secret); (err == nil) != trusted || err != nil && !strings.Contains(err.Error(), "chmod 600 "+path) {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
}

// TestSecretOfRoot is a secret of Kubernetes: it belongs to root, and the group
// of the process can read it.
func TestSecretOfRoot(t *testing.T) {
	own, other := uint32(os.Getegid()), uint32(os.Getegid()+12345)
	for name, test := range map[string]struct {
		rules  Rules
		uid    uint32
		gid    uint32
		mode   uint32
		secret bool
	}{
		"for the process's group": {Rules{User: nobody}, 0, own, 0o440, true},
		"for another group":       {Rules{User: nobody}, 0, other, 0o440, false},
		"for everyone":            {Rules{User: nobody}, 0, own, 0o444, false},
		"of the daemon's user":    {Rules{User: nobody}, nobody, own, 0o440, false},
	} {
		st := unix.Stat_t{Uid: test.uid, Gid: test.gid, Mode: unix.S_IFREG | test.mode}
		if problems := test.rules.judge("/secret", &st, Secret); (len(problems) == 0) != test.secret {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

func TestAccept(t *testing.T) {
	dir, path := writeFile(t)
	chmod(t, dir, 0o777)
	chmod(t, path, 0o666)
	for name, test := range map[string]struct {
		accept []string
		open   bool
	}{
		"nothing":           {nil, false},
		"the file":          {[]string{path}, false},
		"the directory":     {[]string{dir}, false},
		"both":              {[]string{dir, path}, true},
		"a pattern":         {[]string{dir, dir + "/*"}, true},
		"not what is in it": {[]string{filepath.Dir(dir), dir}, false},
	} {
		t.Run(name, func(t *testing.T) {
			rules := Rules{Accept: test.accept}
			accepted, err := rules.Check(path, Secret)
			if (err == nil) != test.open || test.open && len(accepted) != 2 {
				t.Errorf("accepted %v, error %v", accepted, err)
			}
			if _, err := rules.Read(path, Secret, 100); (err == nil) != test.open {
				t.Error(err)
			}
		})
	}
}

// TestDistributionLog is about Ubuntu, where the group of rsyslog can write to
// /var/log.
func TestDistributionLog(t *testing.T) {
	for path, want := range map[string]bool{"/var/log": true, "/var/log/assertd": false, "/srv": false} {
		w := &walker{judged: map[string]bool{}}
		w.judge(path, &unix.Stat_t{Mode: unix.S_IFDIR | 0o775}, File)
		if got := len(w.problems) == 0; got != want {
			t.Errorf("%s is trusted: %v", path, got)
		}
	}
	w := &walker{judged: map[string]bool{}}
	w.judge("/var/log", &unix.Stat_t{Mode: unix.S_IFDIR | 0o777}, File)
	if len(w.problems) == 0 {
		t.Error("/var/log that everyone can write is trusted")
	}
}

func TestWritten(t *testing.T) {
	dir, path := writeFile(t)
	link := filepath.Join(dir, "link")
	symlink(t, "/proc/self/mem", link)
	for _, path := range []string{path, link, filepath.Join(dir, "missing")} {
		if _, err := (Rules{}).Check(path, Written); err != nil {
			t.Error(err)
		}
	}
	for _, path := range []string{dir, filepath.Join(dir, "missing", "file"), filepath.Join(path, "file")} {
		if _, err := (Rules{}).Check(path, Written); err == nil {
			t.Errorf("%s can't be written", path)
		}
	}
	chmod(t, dir, 0o775)
	if _, err := (Rules{}).Check(filepath.Join(dir, "missing"), Written); !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
}

func TestDirectories(t *testing.T) {
	dir, path := writeFile(t)
	chmod(t, dir, 0o777|fs.ModeSticky)
	if _, err := (Rules{}).Check(dir, Directory); err != nil {
		t.Error(err)
	}
	if _, err := (Rules{}).Check(dir, Private); !errors.Is(err, ErrUntrusted) {
		t.Errorf("others can create files there: %v", err)
	}
	if _, err := (Rules{}).Check(path, Directory); !errors.Is(err, syscall.ENOTDIR) {
		t.Error(err)
	}
	held, err := Rules{}.OpenDirectory(dir, Directory)
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := os.Rename(dir, dir+".away"); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fstatat(int(held.Fd()), "file", &unix.Stat_t{}, 0); err != nil {
		t.Errorf("the descriptor did not stay with the directory: %v", err)
	}
}

// TestNotRegular goes through what is not a file, as the path and behind a
// link. Nothing may hang.
func TestNotRegular(t *testing.T) {
	dir, _ := writeFile(t)
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	symlink(t, "pipe", filepath.Join(dir, "link"))
	for _, path := range []string{pipe, filepath.Join(dir, "link"), dir, "/dev/zero", "/dev/tty"} {
		for _, kind := range []Kind{File, Secret} {
			if err := readWithin(t, path, kind); !errors.Is(err, ErrNotRegular) && !errors.Is(err, ErrUntrusted) {
				t.Errorf("%s: %v", path, err)
			}
		}
		if _, err := ReadRegular(path); !errors.Is(err, ErrNotRegular) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if _, err := (Rules{}).Check(pipe, Written); !errors.Is(err, ErrNotRegular) {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	dir, path := writeFile(t)
	if err := readWithin(t, filepath.Join(dir, "missing"), File); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing: %v", err)
	}
	symlink(t, "loop", filepath.Join(dir, "loop"))
	if err := readWithin(t, filepath.Join(dir, "loop"), File); !errors.Is(err, syscall.ELOOP) {
		t.Errorf("loop: %v", err)
	}
	if _, err := (Rules{}).Read(path, File, 3); err == nil || !strings.Contains(err.Error(), "larger than 3 bytes") {
		t.Errorf("too large: %v", err)
	}
	if text, err := ReadRegular(path); err != nil || string(text) != content {
		t.Errorf("%q, %v", text, err)
	}
}

// TestPassedDescriptor is assertd audit verify --key <(assertd audit key).
func TestPassedDescriptor(t *testing.T) {
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	_, err = write.WriteString(content)
	if err := errors.Join(err, write.Close()); err != nil {
		t.Fatal(err)
	}
	if text, err := ReadRegular(fmt.Sprintf("/dev/fd/%d", read.Fd())); err != nil || string(text) != content {
		t.Errorf("%q, %v", text, err)
	}
}

func TestImplied(t *testing.T) {
	dir, path := writeFile(t)
	script := filepath.Join(dir, "script")
	if err := os.WriteFile(script, []byte("#! /opt/interpreter -x\nexit\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		got  []Implied
		want []string
	}{
		"a command":                    {OfCommand([]string{"/bin/x", path, "-f", dir, "/none", "file"}), []string{"/bin/x", path}},
		"a file":                       {OfEnvironment(map[string]string{"CONF": path}), []string{path}},
		"a directory":                  {OfEnvironment(map[string]string{"STORE": dir}), nil},
		"libraries":                    {OfLoader(map[string]string{"LD_LIBRARY_PATH": dir + ":/none:" + path, "CONF": path}), []string{dir, path}},
		"preloaded":                    {OfLoader(map[string]string{"LD_PRELOAD": path + " " + path}), []string{path, path}},
		"not of the loader":            {OfEnvironment(map[string]string{"LD_PRELOAD": path}), nil},
		"an option":                    {OfCommand([]string{"/bin/x", "--file=" + path, "file=" + path}), []string{"/bin/x", path}},
		"a script":                     {OfCommand([]string{script}), []string{script, "/opt/interpreter"}},
		"not a path, not there, empty": {OfEnvironment(map[string]string{"A": "value", "B": "/none", "C": ""}), nil},
	} {
		var got []string
		for _, p := range test.got {
			got = append(got, p.Path)
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	chmod(t, dir, 0o777)
	chmod(t, path, 0o666)
	err := Rules{}.CheckAll(append(OfLoader(map[string]string{"LD_LIBRARY_PATH": dir}), OfEnvironment(map[string]string{"CONF": path})...))
	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+dir+"\n") || !strings.Contains(err.Error(), "chmod go-w "+path) {
		t.Error(err)
	}
}

// TestParentOfLink goes where the kernel would: .. leads to the parent of a
// link's target.
func TestParentOfLink(t *testing.T) {
	dir, _ := writeFile(t)
	elsewhere, _ := writeFile(t)
	if err := errors.Join(os.Mkdir(filepath.Join(elsewhere, "sub"), 0o755), os.WriteFile(filepath.Join(elsewhere, "file"), []byte("other"), 0o600)); err != nil {
		t.Fatal(err)
	}
	symlink(t, filepath.Join(elsewhere, "sub"), filepath.Join(dir, "link"))
	t.Chdir(dir)
	for _, path := range []string{"link/../file", dir + "/link/../file"} {
		if text, err := (Rules{}).Read(path, File, 100); err != nil || string(text) != "other" {
			t.Errorf("%s: %q, %v", path, text, err)
		}
	}
}
