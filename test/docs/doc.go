// Package docs has only tests. They run the commands in the documentation
// exactly as written.
//
// The comment on the line before a ```sh block says how to run it:
//
//	<!-- run -->                     must succeed
//	<!-- run, exit code N -->        the last command must exit with N
//	<!-- run in the background -->   keeps running, and must serve .assertd/assertd.sock
//	<!-- not runnable here -->       not run: it needs another machine
package docs
