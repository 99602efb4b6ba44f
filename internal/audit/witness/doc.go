// Package witness has witnesses cosign the checkpoints of the audit log (C2SP
// tlog-witness and tlog-cosignature). A witness cosigns a checkpoint only if it
// extends the last one that it saw, so it notices if the log is rolled back,
// and if it shows different histories to different people. Cosignatures become
// lines of the log.
//
// The package starts with Group. Start asks each witness what it has, before
// anything is signed. Run then sends each new checkpoint.
//
// A witness is believed if it says that it has more lines than the log, or
// other ones: those answers are not signed, and they stop the log. So configure
// only witnesses whose operators may stop you, and use TLS or a loopback
// address.
package witness
