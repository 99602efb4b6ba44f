// Package audit is a tamper-evident log of decisions: one JSON line per decision in a plain file, a Merkle tree over the
// lines, and signed checkpoints of that tree.
//
// # Writing
//
// Open takes the file for this process (a lock beside it), Run writes, and Append returns nil only once its record is written
// as Options.Sync promises. One caller at a time writes, for all; records of all callers that wait meanwhile share its next write and, with
// SyncAlways, its sync. A write that fails (no room, a sync error) is cut off again and every caller in it gets
// ErrUnavailable: a record is whole in the log or its caller knows that it is not. The writer tries again with each
// Append and each Options.Interval, so the log recovers by itself, and then records the outage in a line of its own.
//
// # The file
//
// Every line is a leaf of the tree (RFC 6962, the leaf is the line without its newline) and begins with its link:
//
//	{"seq":7,"prev":"<base64>","kind":"assertion","time":…}
//
// seq is the leaf's index, counted over all files of the log; prev is the leaf hash of the line before, so the lines are also
// a hash chain. The tree is what checkpoints sign and what proofs of inclusion need. The chain is what lets Verify name the
// first bad line: a root alone says only that some line below it is wrong. Both use the same hash, so the chain is nearly
// free. Four kinds of line are not decisions but leaves like all others:
//
//   - header, the first line of each file: size, root and right edge of the tree at the file's beginning. It ties a
//     file to the one before, and makes each file enough to go on from.
//   - checkpoint: a C2SP tlog-checkpoint (a signed note of origin, tree size and root) over the lines before it, by an Ed25519
//     or ECDSA P-256 key. As it is a line of the log, whoever collects the lines elsewhere keeps the checkpoints too, and
//     logrotate can't part them from the file. Signing goes on beside the writer, so records never wait for the key and
//     a checkpoint may stand some lines behind the size that it signs. Written at an interval, before a file is closed
//     for rotation and at the end of Run. A log without a key has none and is otherwise the same.
//   - recovery: what the log had to get over: an outage, a torn line, a file that somebody changed or removed.
//
// There is no state besides the lines: no stored hashes, no side file of checkpoints that could be out of step after kill
// -9. Open reads the current file once (some 400,000 lines a second and core) and so also checks it. What it finds behind the last whole
// line is moved to <file>.torn-<seq>-<time> and recorded. If the current file is missing or empty, because the process ended in the
// middle of a rotation, Open goes on from the newest file beside it that was moved away.
//
// # Rotation
//
// By size and age the file is renamed to <file>.<time>, and the next one begins with a header. With logrotate: rename, then
// SIGHUP (Reopen), delaycompress; never copytruncate, which cuts the file under the writer. Verify reads .gz files.
// Nothing here deletes files.
//
// # What is proven, and what not
//
// Against somebody who can change the files but lacks the checkpoint key (which stays in the HSM):
//
//   - A line that a checkpoint covers can't be changed, dropped, moved or added without Verify finding it. As long as the
//     forger does not mend the links, Verify names the first bad line; a forger who mends them up to the end is found by
//     the first checkpoint, and Verify then names the stretch since the checkpoint before.
//   - Lines after the newest checkpoint are not covered: up to Options.CheckpointInterval's worth of them can be forged
//     with mended links. Report.Unproven counts them and Report.Summary says so.
//   - Cutting off the end, checkpoints included, can't be seen in the files. It is seen by whoever kept a later checkpoint
//     (VerifyOptions.Known): ship the lines to a collector, or store the newest checkpoint elsewhere now and then.
//   - Starting a new log in place of the old one is the same case. It shows as a header with seq 0.
//   - Without any checkpoint key the chain shows accidents and careless hands, and proves nothing against somebody who
//     rewrites the whole file.
//
// Somebody who controls the running daemon can have anything signed from then on, but can't change what an earlier
// checkpoint covers. The log says what the daemon decided; that no signature left without a record is the caller's duty
// (Append first, then release).
//
// The checkpoint key must sign nothing else: a raw signature over a digest of the caller's choice would be a checkpoint.
package audit
