// Package ship sends each line of the audit log to other places: a syslog
// daemon on this machine, a syslog server over TLS, or an OpenTelemetry
// collector.
//
// It reads the log's files, so a destination that is slow or away never makes a
// decision wait, and it needs no queue: the files are the queue. It reads only
// lines that are synced. Nothing is shipped that a power loss could take out of
// the log.
//
// Each line is delivered at least once. A cursor file beside the log, one for
// each destination, says which lines were delivered. If the connection breaks
// or the daemon is killed, everything behind the cursor is sent again. The
// lines have numbers (seq), by which a receiver can drop those that come twice.
//
// Lines that were removed with their file before they were delivered, or that
// can't be read, are counted as missing. If the log does not continue what was
// delivered, because an older copy was put back, all lines that there are go
// out again.
//
// # When a line counts as delivered
//
// Syslog has no acknowledgments. Over a Unix socket, a line counts as delivered
// once the receiver has read it from the socket. Over TLS, the receiver's
// kernel must have acknowledged it, and the connection must then last for five
// more seconds. A collector must have answered the request. What a receiver
// loses after that, it loses.
package ship
