// Package audit is a tamper-evident log of decisions: one JSON line per
// decision in a plain file, a Merkle tree over the lines, and signed
// checkpoints of that tree.
//
// # Writing
//
// Open takes the file for this process (with a lock file beside it), Run
// writes, and Append returns nil only after its record is written as
// Options.Sync promises. One goroutine writes. Records that arrive meanwhile
// share the next write and, with SyncAlways, its sync. If a write
// fails (disk full, sync error), the log cuts it off again and every caller in
// it gets ErrUnavailable: either a record is in the log in full, or its caller
// knows that it is not. The writer retries with each Append and each
// Options.Interval, so the log recovers by itself, and then records the outage
// in a line of its own.
//
// A disk can also stop answering, and nothing can interrupt a write to it. No
// caller waits longer than Options.Timeout for it: its record counts as
// missing, and is harmless if the write succeeds later. Run ends without such a
// write, and then the lock stays until the process has gone.
//
// # The file
//
// Each line is a leaf of the tree (RFC 6962; the leaf is the line without its
// newline) and begins with its link:
//
//	{"seq":7,"prev":"<base64>","kind":"assertion","time":…}
//
// seq is the index of the leaf, counted across all files of the log. prev is
// the leaf hash of the previous line, so the lines also form a hash chain.
// Checkpoints sign the tree, and proofs of inclusion need it. The chain lets
// Verify name the first bad line; a root alone shows only that some line below
// it is wrong. Both use the same hash, so the chain costs almost nothing. Five
// kinds of line are not decisions, but they are leaves like the others:
//
//   - header, the first line of each file: the size, root and right edge of the
//     tree at the start of the file. It ties a file to the previous one, and it
//     is all that the log needs to continue from this file.
//   - checkpoint: a C2SP tlog-checkpoint (a signed note of origin, tree size
//     and root) over earlier lines, signed with an Ed25519 or ECDSA P-256 key.
//     It is a line of the log, so a log collector gets the checkpoints too, and
//     logrotate can't separate them from the file. Signing runs beside the
//     writer, so records never wait for the key, and a checkpoint may be some
//     lines behind the size that it signs. The log writes one at an interval,
//     before it rotates a file, and at the end of Run. A log without a key has
//     no checkpoints and is otherwise the same.
//   - cosignature: a witness's signature of a checkpoint (C2SP
//     tlog-cosignature).
//   - acknowledgment: a person accepted that lines of the log are lost.
//   - recovery: something the log recovered from: an outage, a torn line, a
//     file that someone changed or removed.
//
// The lines are the only state. There are no stored hashes and no separate
// checkpoint file that kill -9 could leave out of step. A checkpoint line has
// the right edge of the tree, as a header does. Open reads the current file
// from its newest checkpoint on (about 400,000 lines a second per core), and
// Run verifies the lines before in the background. Open moves an incomplete
// line at the end to <file>.torn-<seq>-<time> and records that. If the process
// ended in the middle of a rotation, so that the current file is missing or
// empty, Open continues from the newest rotated file.
//
// Anything else that is wrong is damage (ErrDamaged): a bad line with a line of
// a log behind it, or a newest file that can't be read. The log never continues
// from there by itself. AcceptDamage keeps the file as evidence and starts a
// new one, for a person who gives a reason.
//
// # Rotation
//
// The log rotates by size and age: it renames the file to <file>.<time> and
// starts the next one with a header. With logrotate: rename, then SIGUSR1
// (Reopen), with delaycompress. Never use copytruncate, which truncates the
// file under the writer. Verify reads .gz files. The log never deletes files.
//
// # What is proven, and what is not
//
// Suppose someone can change the files but does not have the checkpoint key,
// which stays in the HSM:
//
//   - If they change, drop, move or add a line that a checkpoint covers, Verify
//     finds it. Unless they also fix the links, Verify names the first bad
//     line. If they fix all later links, the next checkpoint gives them away,
//     and Verify names the range of lines since the previous checkpoint.
//   - Lines after the newest checkpoint are not covered: up to one
//     Options.CheckpointInterval of them can be forged with fixed links.
//     Report.Unproven counts them, and Report.Summary says so.
//   - The files alone can't show that the end was cut off, checkpoints
//     included. Anyone who kept a later checkpoint can show it
//     (VerifyOptions.Known), such as Options.Anchor on another file system,
//     which Open compares with the log. Package witness has others remember the
//     checkpoints; a cosigned one also shows that everyone who asks the same
//     witnesses sees the same log.
//   - Replacing the log with a new one is the same case. It shows as a header
//     with seq 0.
//   - Without a checkpoint key, the chain shows accidents and careless edits.
//     It proves nothing against someone who rewrites the whole file.
//
// Anyone who controls the running daemon can get anything signed from then on,
// but can't change what an earlier checkpoint covers. The log says what the
// daemon decided. That no signature leaves without a record is up to the caller
// (append first, then release).
//
// Use the checkpoint key for nothing else: a raw signature over a digest of the
// caller's choice could be a checkpoint.
package audit
