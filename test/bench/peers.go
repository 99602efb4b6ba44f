package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh/agent"
)

// Peers are other programs that sign for the processes of a machine. They do
// less than assertd: nobody decides, verifies or records anything, and what
// they sign isn't an assertion.
const (
	p11Kit   = "p11-kit"
	sshAgent = "ssh-agent"
)

// peer is a running server.
type peer struct {
	cmd    *exec.Cmd
	socket string
}

func peerCases() (cases []benchCase) {
	for _, n := range []int{1, 8} {
		for _, name := range []string{p11Kit, sshAgent} {
			cases = append(cases, benchCase{name: fmt.Sprintf("%s c%d", name, n), role: name, task: task{Alg: "ES256", Callers: n}, peer: name})
		}
		cases = append(cases, assertion(fmt.Sprintf("assertd, full assertion c%d", n), "ES256", n, defaults))
	}
	return cases
}

// startPeer runs a peer and returns when its socket accepts connections.
func startPeer(ctx context.Context, e env, name string) (*peer, error) {
	p := &peer{socket: e.file(name + ".peer")}
	p.cmd = exec.Command(sshAgent, "-D", "-a", p.socket)
	if name == p11Kit {
		p.cmd = exec.Command("p11-kit", "server", "--foreground", "--name", p.socket, "--provider", e.Module, "pkcs11:token="+tokenLabel)
		p.cmd.Env = append(os.Environ(), "SOFTHSM2_CONF="+e.SoftHSMConf)
	}
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		conn, err := net.Dial("unix", p.socket)
		if err == nil {
			return p, conn.Close()
		}
		select {
		case <-ctx.Done():
			return nil, errors.Join(fmt.Errorf("%s isn't ready: %w", name, err), p.stop())
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (p *peer) pid() int { return p.cmd.Process.Pid }

// stop ends the peer, which has nothing to lose.
func (p *peer) stop() error {
	_ = p.cmd.Process.Kill()
	_ = p.cmd.Wait() // reports the kill
	return nil
}

// eachItsOwn makes an operation whose callers have a connection each.
func eachItsOwn(callers int, connect func() (func() error, error)) (operation, error) {
	free := make(chan func() error, callers)
	for range callers {
		sign, err := connect()
		if err != nil {
			return nil, err
		}
		free <- sign
	}
	return func() (int, error) {
		sign := <-free
		defer func() { free <- sign }()
		return 1, sign()
	}, nil
}

// throughP11Kit signs with p11-kit's client module. Each of its lists of
// functions has a connection of its own, so each caller has its own process
// behind the server.
func throughP11Kit(e env) (prepare, error) {
	path, err := clientModule()
	if err != nil {
		return nil, err
	}
	return func(t task) (operation, error) {
		if err := os.Setenv("P11_KIT_SERVER_ADDRESS", "unix:path="+t.Socket); err != nil {
			return nil, err
		}
		return eachItsOwn(t.Callers, func() (func() error, error) {
			module, err := openRaw(path)
			if err != nil {
				return nil, err
			}
			session, err := module.logIn(e.PINFile)
			if err != nil {
				return nil, err
			}
			key, err := module.find(session, e.labelOf(t.Alg))
			sign := module.signer(t.Alg)
			return func() error { return sign(session, key) }, err
		})
	}, nil
}

// clientModule finds p11-kit's client module where distributions install it.
func clientModule() (string, error) {
	for _, pattern := range []string{"/usr/lib/*/pkcs11/p11-kit-client.so", "/usr/lib64/pkcs11/p11-kit-client.so", "/usr/lib/pkcs11/p11-kit-client.so"} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 { // fails only for a bad pattern
			return found[0], nil
		}
	}
	return "", errors.New("p11-kit-client.so isn't installed; install the package p11-kit-modules")
}

// throughSSHAgent signs with a P-256 key in the agent's memory.
func throughSSHAgent(env) (prepare, error) {
	return func(t task) (operation, error) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, err
		}
		return eachItsOwn(t.Callers, func() (func() error, error) {
			conn, err := net.Dial("unix", t.Socket)
			if err != nil {
				return nil, err
			}
			keys := agent.NewClient(conn)
			if err := keys.Add(agent.AddedKey{PrivateKey: key}); err != nil {
				return nil, err
			}
			known, err := keys.List()
			if err != nil {
				return nil, err
			}
			public := known[len(known)-1]
			return func() error { _, err := keys.Sign(public, message); return err }, nil
		})
	}, nil
}
