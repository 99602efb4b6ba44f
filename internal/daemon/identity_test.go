package daemon

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/assertd/assertd/ipc"
	"github.com/assertd/assertd/ipc/peer/peertest"
)

// identities is a client for each kind of selector. The client_id of each is
// its name, so that an assertion shows whose grant made it.
const identities = `
clients:
  - {name: self,     match: {uid: SELF},                     grants: [{name: g, key: one, profile: private_key_jwt, client_id: self, audiences: [https://as.example]}]}
  - {name: user,     match: {uid: 61001},                     grants: [{name: g, key: one, profile: private_key_jwt, client_id: user, audiences: [https://as.example]}]}
  - {name: group,    match: {gid: 62001},                     grants: [{name: g, key: one, profile: private_key_jwt, client_id: group, audiences: [https://as.example]}]}
  - {name: team,     match: {gid: 63001},                     grants: [{name: g, key: two, profile: private_key_jwt, client_id: team, audiences: [https://as.example]}]}
  - {name: program,  match: {executable: DIR/trusted},       grants: [{name: g, key: one, profile: private_key_jwt, client_id: program, audiences: [https://as.example]}]}
  - {name: hash,     match: {executable_sha256: HASH},       grants: [{name: g, key: one, profile: private_key_jwt, client_id: hash, audiences: [https://as.example]}]}
  - {name: both,     match: {uid: 61001, executable: DIR/trusted}, grants: [{name: g, key: one, profile: private_key_jwt, client_id: both, audiences: [https://as.example]}]}
  - {name: unit,     match: {unit: UNIT},                    grants: [{name: g, key: one, profile: private_key_jwt, client_id: unit, audiences: [https://as.example]}]}
  - {name: socket,                                           grants: [{name: g, key: one, profile: private_key_jwt, client_id: socket, audiences: [https://as.example]}]}
  - {name: narrowed, match: {uid: 1002},                     grants: [{name: g, key: one, profile: private_key_jwt, client_id: narrowed, audiences: [https://as.example]}]}
listen:
  - {socket: DIR/shared.sock, mode: "0666"}
  - {socket: DIR/socket.sock, mode: "0666", client: socket}
  - {socket: DIR/narrowed.sock, mode: "0666", client: narrowed}
`

var everyClient = []string{"self", "user", "group", "team", "program", "hash", "both", "unit", "socket", "narrowed"}

// identified is a running daemon with a client for each kind of selector, and
// two programs, of which it trusts one.
type identified struct {
	*running
	trusted, other string
	unit           string
}

func serveIdentities(t *testing.T) *identified {
	t.Helper()
	i := &identified{
		trusted: peertest.Program(t, "trusted"), other: peertest.Program(t, "other"),
		unit: "assertd-test-" + strings.ToLower(rand.Text()[:8]) + ".service",
	}
	content, err := os.ReadFile(i.trusted)
	if err != nil {
		t.Fatal(err)
	}
	hash := sha256.Sum256(content)
	i.running = serveDaemon(t, strings.NewReplacer(
		"DIR/trusted", i.trusted, "SELF", fmt.Sprint(os.Getuid()), "HASH", hex.EncodeToString(hash[:]), "UNIT", i.unit,
	).Replace(identities))
	return i
}

func (i *identified) socket(name string) string { return filepath.Join(i.dir, name+".sock") }

// is checks that the daemon takes a process for these clients and no others, in
// GET /v1/grants and in the assertions that it gets.
func (i *identified) is(t *testing.T, p process, socket string, clients ...string) {
	t.Helper()
	requests := []string{""}
	for _, client := range everyClient {
		requests = append(requests, fmt.Sprintf(`{"grant":"%s/g"}`, client))
	}
	answers := p.ask(t, i.socket(socket), requests...)
	if got := clientsOf(t, answers[0]); !slices.Equal(got.Clients, clients) {
		t.Errorf("on %s it is %v, want %v", socket, got.Clients, clients)
	}
	for n, client := range everyClient {
		answer := answers[n+1]
		if !slices.Contains(clients, client) {
			want := ipc.CodeGrantNotFound
			if len(clients) == 0 {
				want = ipc.CodeUnknownCaller
			}
			if got := answer.code(t); got != want {
				t.Errorf("on %s, grant of %s: %q, want %s", socket, client, got, want)
			}
			continue
		}
		if claims := answer.claims(t); claims["iss"] != client || claims["sub"] != client {
			t.Errorf("on %s, grant of %s: iss %v, sub %v", socket, client, claims["iss"], claims["sub"])
		}
	}
}

// clientsOf returns the clients that a caller matched.
func clientsOf(t *testing.T, answer reply) ipc.CallerInfo {
	t.Helper()
	var grants ipc.GrantsResponse
	if err := json.Unmarshal(answer.Body, &grants); err != nil {
		t.Fatalf("%v: %s", err, answer.Body)
	}
	return grants.Caller
}

func as(uid, gid uint32, groups ...uint32) *syscall.Credential {
	return &syscall.Credential{Uid: uid, Gid: gid, Groups: groups}
}

// TestIdentityDecides asks as processes of several users, groups and programs.
// Other users than the test's own take root.
func TestIdentityDecides(t *testing.T) {
	i := serveIdentities(t)
	i.is(t, process{program: i.other}, "shared", "self")
	i.is(t, process{program: i.trusted}, "shared", "self", "program", "hash")
	i.is(t, process{program: i.other}, "socket", "socket")
	i.is(t, process{program: i.trusted}, "socket", "socket")
	i.is(t, process{program: i.trusted}, "narrowed")
	if os.Geteuid() != 0 {
		return
	}
	i.is(t, process{program: i.other, ids: as(61001, 61001)}, "shared", "user")
	i.is(t, process{program: i.other, ids: as(61001, 62001)}, "shared", "user", "group")
	i.is(t, process{program: i.other, ids: as(1003, 1003, 5, 63001, 6)}, "shared", "team")
	i.is(t, process{program: i.other, ids: as(1003, 62001, 63001)}, "shared", "group", "team")
	i.is(t, process{program: i.other, ids: as(1003, 1003)}, "shared")
	i.is(t, process{program: i.trusted, ids: as(1003, 1003)}, "shared", "program", "hash")
	i.is(t, process{program: i.trusted, ids: as(61001, 61001)}, "shared", "user", "program", "hash", "both")
	i.is(t, process{program: i.trusted, ids: as(61001, 62001, 63001)}, "socket", "socket")
	i.is(t, process{program: i.other, ids: as(1002, 1002)}, "shared", "narrowed")
	i.is(t, process{program: i.other, ids: as(1002, 1002)}, "narrowed", "narrowed")
	i.is(t, process{program: i.trusted, ids: as(61001, 62001)}, "narrowed")
}

// TestProgramThatIsReplaced is no longer the one that policy means by its path,
// and another program that takes the path is not the one that it means by hash.
func TestProgramThatIsReplaced(t *testing.T) {
	i := serveIdentities(t)
	if err := os.Rename(i.other, i.trusted); err != nil {
		t.Fatal(err)
	}
	i.is(t, process{program: i.trusted}, "shared", "self", "program")
}

// TestConnectionHandedToAChild: it still belongs to the process that made it.
func TestConnectionHandedToAChild(t *testing.T) {
	i := serveIdentities(t)
	conn, err := net.Dial("unix", i.socket("shared"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	file, err := conn.(*net.UnixConn).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	heir := process{program: i.trusted, conn: file}
	if os.Geteuid() == 0 {
		heir.ids = as(61001, 62001, 63001)
	}
	if c := clientsOf(t, heir.ask(t, "-", "")[0]); !slices.Equal(c.Clients, []string{"self"}) || int(c.PID) != os.Getpid() || int(c.UID) != os.Getuid() {
		t.Errorf("%+v", c)
	}
}

// TestUnit asks from inside a unit's cgroup, where one can be made. Elsewhere
// it shows only that a process outside is not the unit; the parsing of cgroups
// is tested in package ipc everywhere.
func TestUnit(t *testing.T) {
	i := serveIdentities(t)
	i.is(t, process{program: i.other}, "shared", "self")
	for _, name := range []string{i.unit, "system.slice/" + i.unit} {
		cgroup, err := makeCgroup(t, name)
		if err != nil {
			t.Logf("no cgroup of a unit can be made here: %v", err)
			return
		}
		i.is(t, process{program: i.other, cgroup: cgroup}, "shared", "self", "unit")
	}
	// A user who can create cgroups under another unit can't pose as this one.
	cgroup, err := makeCgroup(t, "assertd-test-other.service/"+i.unit)
	if err != nil {
		t.Fatal(err)
	}
	i.is(t, process{program: i.other, cgroup: cgroup}, "shared", "self")
}

// makeCgroup makes a cgroup v2 by its path, with those above it.
func makeCgroup(t *testing.T, path string) (*os.File, error) {
	t.Helper()
	root, err := cgroupRoot()
	if err != nil {
		return nil, err
	}
	dir := root
	for step := range strings.SplitSeq(path, "/") {
		dir = filepath.Join(dir, step)
		switch err := os.Mkdir(dir, 0o755); {
		case err == nil:
			made := dir
			t.Cleanup(func() {
				if err := os.Remove(made); err != nil {
					t.Error(err)
				}
			})
		case !os.IsExist(err):
			return nil, err
		}
	}
	file, err := os.Open(dir)
	if err == nil {
		t.Cleanup(func() { file.Close() })
	}
	return file, err
}

// cgroupRoot finds where the unified hierarchy is mounted,
// proc_pid_mountinfo(5).
func cgroupRoot() (string, error) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", err
	}
	for line := range strings.Lines(string(table)) {
		fields := strings.Fields(line)
		if i := slices.Index(fields, "-"); i > 4 && fields[i+1] == "cgroup2" && fields[3] == "/" {
			return fields[4], nil
		}
	}
	return "", fmt.Errorf("no cgroup v2 is mounted")
}
