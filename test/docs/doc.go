// Package docs holds no code: its test runs the commands of the documents as they
// are written.
//
// A block that begins with ```sh says in a comment on the line before what is to
// become of it:
//
//	<!-- run -->                     it must succeed
//	<!-- run, exit code N -->        its last command must end with N
//	<!-- run in the background -->   it is left running, and must serve .assertd/assertd.sock
//	<!-- not runnable here -->       it is for another machine
package docs
