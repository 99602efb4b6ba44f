package interop

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// sshd is OpenSSH's server. Debian has it in a directory that users don't have
// in their PATH.
const sshd = "/usr/sbin/sshd"

// TestOpenSSHServer logs in to an OpenSSH server with keys in the HSM.
func TestOpenSSHServer(t *testing.T) {
	d := startRaw(t)
	var authorized []byte
	signers := map[string]ssh.Signer{}
	for _, key := range rawKeys {
		signer, err := ssh.NewSignerFromSigner(d.signer(t, key))
		if err != nil {
			t.Fatal(err)
		}
		signers[key] = signer
		if key != "rsa" {
			authorized = append(authorized, ssh.MarshalAuthorizedKey(signer.PublicKey())...)
		}
	}
	server := startSSHD(t, append(authorized, ssh.MarshalAuthorizedKey(signers["rsa"].PublicKey())...))
	for key, signer := range signers {
		if out, err := server.run(signer); err != nil || out != "logged in\n" {
			t.Errorf("%s: %q, %v", key, out, err)
		}
	}
	strangers := startSSHD(t, authorized)
	if _, err := strangers.run(signers["rsa"]); err == nil || !strings.Contains(err.Error(), "unable to authenticate") {
		t.Errorf("a key that is not authorized: %v", err)
	}
}

// sshServer is an OpenSSH server in inetd mode: one process for each
// connection, on a socket pair of this process.
type sshServer struct {
	configuration, user string
	hostKey             ssh.PublicKey
	log                 *journal
}

func startSSHD(t *testing.T, authorized []byte) *sshServer {
	t.Helper()
	if os.Getuid() == 0 { // the service's directory, for the part of sshd that has no privileges
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", file("host")).CombinedOutput(); err != nil {
		t.Fatalf("ssh-keygen: %v\n%s", err, out)
	}
	public, err := os.ReadFile(file("host.pub"))
	if err != nil {
		t.Fatal(err)
	}
	s := &sshServer{configuration: file("sshd_config"), log: new(journal)}
	if s.hostKey, _, _, _, err = ssh.ParseAuthorizedKey(public); err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	s.user = me.Username
	for name, text := range map[string]string{
		"authorized": string(authorized),
		"sshd_config": fmt.Sprintf("HostKey %s\nAuthorizedKeysFile %s\nStrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\n"+
			"AuthenticationMethods publickey\nForceCommand echo logged in\nPidFile none\nLogLevel VERBOSE\n", file("host"), file("authorized")),
	} {
		if err := os.WriteFile(file(name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("sshd's log:\n%s", s.log.text())
		}
	})
	return s
}

// run logs in and returns what the server's command prints.
func (s *sshServer) run(signer ssh.Signer) (output string, err error) {
	connection, process, err := s.start()
	if err != nil {
		return "", err
	}
	defer func() { _ = process.Wait() }() // ends with its connection
	defer connection.Close()
	if err := connection.SetDeadline(time.Now().Add(patience)); err != nil {
		return "", err
	}
	authenticated, channels, requests, err := ssh.NewClientConn(connection, "localhost", &ssh.ClientConfig{
		User: s.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)}, HostKeyCallback: ssh.FixedHostKey(s.hostKey),
	})
	if err != nil {
		return "", err
	}
	session, err := ssh.NewClient(authenticated, channels, requests).NewSession()
	if err != nil {
		return "", err
	}
	text, err := session.Output("the server has its own command")
	return string(text), err
}

// start starts a server process at the other end of a connection.
func (s *sshServer) start() (net.Conn, *exec.Cmd, error) {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, err
	}
	near, far := os.NewFile(uintptr(pair[0]), "ssh client"), os.NewFile(uintptr(pair[1]), "ssh server")
	defer near.Close()
	defer far.Close()
	connection, err := net.FileConn(near)
	if err != nil {
		return nil, nil, err
	}
	process := exec.Command(sshd, "-i", "-e", "-f", s.configuration)
	process.Stdin, process.Stdout, process.Stderr = far, far, s.log
	if err := process.Start(); err != nil {
		connection.Close()
		return nil, nil, err
	}
	return connection, process, nil
}
