// Package docs has only tests. They run the commands in the documentation
// exactly as written.
//
// The comment on the line before a ```sh block says how to run it:
//
//	<!-- run -->                     must succeed
//	<!-- run, exit code N -->        the last command must exit with N
//	<!-- run in the background -->   keeps running, and must serve .assertd/assertd.sock
//	<!-- run by make dist-test -->   must succeed on a machine with the package,
//	                                 systemd and root, where walk.sh in
//	                                 deploy/packaging runs it; not run here
//	<!-- run by make dist-test, typing A B -->
//	                                 the same, while a person types the lines A and B
//	<!-- not runnable here -->       not run: it needs another machine
package docs
