package modules

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TPM2 is tpm2-pkcs11 on a simulated TPM, behind tpm2-abrmd: a TPM holds three
// keys at a time, and Linux's /dev/tpmrm0 swaps them as tpm2-abrmd does.
func TPM2(t testing.TB) *Module {
	t.Helper()
	dir := shortDir(t)
	const tcti = "tabrmd:bus_type=session"
	m := &Module{
		Path: library(t, "libtpm2_pkcs11.so", "libtpm2-pkcs11-1"), Label: "tpm", PIN: "12345678",
		Environment: map[string]string{
			"TPM2_PKCS11_STORE": dir, "TPM2_PKCS11_TCTI": tcti, "TPM2TOOLS_TCTI": tcti,
			"DBUS_SESSION_BUS_ADDRESS": "unix:path=" + filepath.Join(dir, "bus"),
		},
		Write: []string{dir},
	}
	m.simulate(t, dir)
	m.run(t, "tpm2_dictionarylockout", "-s", "-n", "1000", "-t", "1", "-l", "1")
	// It also finds out whether the TPM's PSS signatures have the salt that JOSE
	// wants. A token that pkcs11-tool made doesn't know, and decrypts instead.
	m.run(t, "tpm2_ptool", "init", "--path", dir)
	m.run(t, "tpm2_ptool", "addtoken", "--pid", "1", "--label", m.Label, "--sopin", m.PIN, "--userpin", m.PIN, "--path", dir)
	return m
}

// TPM2Direct is tpm2-pkcs11 on a simulated TPM without a resource manager. Of
// its three places for keys, one is for the parent of the key that is used, and
// a login takes two, so only one algorithm is tested. A worker that is killed
// leaves its key there, and the next one has just enough room.
func TPM2Direct(t testing.TB) *Module {
	t.Helper()
	m := TPM2(t)
	for i := range m.daemons[1:] {
		m.daemons[len(m.daemons)-1-i].stop()
	}
	m.daemons = m.daemons[:1]
	tcti := "swtpm:path=" + m.daemons[0].socket
	m.Environment["TPM2_PKCS11_TCTI"], m.Environment["TPM2TOOLS_TCTI"] = tcti, tcti
	m.Only, m.Alone = []string{"ES256"}, true
	return m
}

// simulate starts the TPM and its resource manager, on a bus of their own.
func (m *Module) simulate(t testing.TB, dir string) {
	t.Helper()
	tpm, bus := filepath.Join(dir, "tpm"), filepath.Join(dir, "bus")
	m.add(t, &daemon{socket: tpm, command: []string{
		"swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + dir, "--flags", "not-need-init,startup-clear",
		"--server", "type=unixio,path=" + tpm, "--ctrl", "type=unixio,path=" + tpm + ".ctrl", "--log", "level=0",
	}})
	m.add(t, &daemon{socket: bus, command: []string{"dbus-daemon", "--session", "--nofork", "--address=unix:path=" + bus}})
	m.add(t, &daemon{
		socket: bus, environ: m.environ(), answers: func() bool { return m.command(t, "tpm2_getrandom", "1").Run() == nil },
		// An ordinary user's PATH lacks sbin.
		command: []string{"/usr/sbin/tpm2-abrmd", "--session", "--allow-root", "--tcti=swtpm:path=" + tpm},
	})
}

// run runs a program with the module's environment.
func (m *Module) run(t testing.TB, program string, args ...string) {
	t.Helper()
	if out, err := m.command(t, program, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", program, err, out)
	}
}

func (m *Module) command(t testing.TB, program string, args ...string) *exec.Cmd {
	command := exec.CommandContext(t.Context(), program, args...)
	command.Env = m.environ()
	return command
}

func (m *Module) environ() []string {
	env := os.Environ()
	for name, value := range m.Environment {
		env = append(env, name+"="+value)
	}
	return env
}
