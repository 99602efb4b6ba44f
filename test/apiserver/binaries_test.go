package apiserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// module builds kube-apiserver and etcd. Its go.mod has their versions.
const module = "binaries"

// servers is a directory with kube-apiserver and etcd.
type servers struct {
	dir              string
	kubernetes, etcd string // versions
}

func (s servers) String() string {
	return "kube-apiserver " + s.kubernetes + " and etcd " + s.etcd
}

func (s servers) apiserver() string  { return filepath.Join(s.dir, "kube-apiserver") }
func (s servers) etcdServer() string { return filepath.Join(s.dir, "etcd") }

// needServers builds the servers, unless the user's cache has them.
func needServers(t *testing.T) servers {
	t.Helper()
	s := servers{kubernetes: version(t, "k8s.io/kubernetes"), etcd: version(t, "go.etcd.io/etcd/server/v3")}
	cache, err := os.UserCacheDir()
	check(t, err)
	s.dir = filepath.Join(cache, "assertd", "kubernetes", s.kubernetes+"-"+fingerprint(t))
	if info, err := os.Stat(s.dir); err == nil && info.IsDir() {
		return s
	}
	fmt.Printf("building %s; this takes minutes, and is done once\n", s)
	// Separate from the build, so that a module out of reach is not mistaken for
	// code that doesn't compile.
	if _, err := run("go", "-C", module, "list", "-deps", "tool"); err != nil {
		t.Fatalf("this test can't run here: it builds %s, and their Go modules are out of reach (see go help goproxy):\n%v", s, err)
	}
	check(t, os.MkdirAll(filepath.Dir(s.dir), 0o755))
	dir, err := os.MkdirTemp(filepath.Dir(s.dir), "build-")
	check(t, err)
	defer os.RemoveAll(dir)
	check(t, s.build(dir))
	check(t, os.Rename(dir, s.dir))
	return s
}

// build builds the servers into a directory. kube-apiserver says which version
// it is, as a release build does.
func (s servers) build(dir string) error {
	var flags []string
	for _, name := range []string{"k8s.io/component-base/version", "k8s.io/client-go/pkg/version"} {
		flags = append(flags, "-X "+name+".gitVersion="+s.kubernetes)
	}
	_, err := run("go", "-C", module, "build", "-trimpath", "-ldflags", "-s -w "+strings.Join(flags, " "), "-o", dir+"/", "tool")
	if err != nil {
		return err
	}
	return os.Rename(filepath.Join(dir, "server"), filepath.Join(dir, "etcd")) // go names it for its path
}

// version is what go.mod says, which needs no module to be in reach.
func version(t *testing.T, name string) string {
	t.Helper()
	out, err := run("go", "-C", module, "mod", "edit", "-json")
	check(t, err)
	var file struct {
		Require []struct{ Path, Version string }
	}
	check(t, json.Unmarshal([]byte(out), &file))
	for _, required := range file.Require {
		if required.Path == name {
			return required.Version
		}
	}
	t.Fatalf("%s/go.mod does not require %s", module, name)
	return ""
}

// fingerprint tells apart what different sources and compilers build.
func fingerprint(t *testing.T) string {
	t.Helper()
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		text, err := os.ReadFile(filepath.Join(module, name))
		check(t, err)
		sum.Write(text)
	}
	fmt.Fprint(sum, runtime.Version(), runtime.GOARCH)
	return hex.EncodeToString(sum.Sum(nil))[:12]
}

// run runs a command to its end and returns its output.
func run(name string, args ...string) (string, error) {
	command := exec.Command(name, args...)
	var errors bytes.Buffer
	command.Stderr = &errors
	out, err := command.Output()
	if err != nil {
		return "", fmt.Errorf("%s %s: %w\n%s", filepath.Base(name), strings.Join(args, " "), err, tail(errors.String()))
	}
	return string(out), nil
}

// tail returns the last lines of a text.
func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-30):], "\n")
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
