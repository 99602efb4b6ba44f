package config

// Sandbox limits what the daemon's processes can reach. Files that the
// configuration names are always allowed.
type Sandbox struct {
	Enforce      bool     `json:"enforce" default:"true" doc:"Confine the processes if the kernel supports Landlock and seccomp. With false, they can open any file that their user can, and make any system call."`
	Read         []string `json:"read,omitzero" format:"path" doc:"Files and directories that the PKCS#11 module reads, in addition to its own directory and the system's (/usr, /lib, /etc, /opt)."`
	Write        []string `json:"write,omitzero" format:"path" doc:"Files and directories that the PKCS#11 module writes. The state of SoftHSM, tpm2-pkcs11 and opencryptoki is allowed automatically."`
	Network      Network  `json:"network,omitzero" doc:"Sockets that the PKCS#11 module can make: none, unix (of daemons on this machine), or any. Default: none for SoftHSM, any for other modules."`
	User         string   `json:"user,omitzero" doc:"User that the PKCS#11 module runs as, by name or ID, if the daemon starts as root. The module's files must be accessible to this user; the PIN is read before. Default: the daemon's user."`
	WorkerMemory Size     `json:"worker_memory" default:"1GiB" min:"256MiB" max:"1TiB" doc:"Limit on the private writable memory of each worker. It includes 8 MiB for each thread."`
}

// Network says which sockets a PKCS#11 module can make.
type Network string

// The sockets of a module.
const (
	NetworkNone Network = "none"
	NetworkUnix Network = "unix"
	NetworkAny  Network = "any"
)

func (Network) Words() []string {
	return []string{string(NetworkNone), string(NetworkUnix), string(NetworkAny)}
}
