package wire

import "time"

// How long a worker gets to end by itself. Both sides keep to these.
const (
	// OpenGrace is how long a worker may take to finish opening its token once
	// nobody waits for it any more. SoftHSM rewrites the token's file in place at
	// every login: a process killed at that moment leaves an empty file, and the
	// token is lost with all its keys.
	OpenGrace = 5 * time.Second
	// StopGrace is how long a worker whose pool has closed the connection waits
	// for its last signatures before it abandons the token, and how long one whose
	// module failed waits to log out where that frees keys on the device.
	StopGrace = 2 * time.Second
)
