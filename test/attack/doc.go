// Package attack attacks daemons that run as they do for users. Each script in
// testdata is one kind of attack. Its first line says what must hold.
//
// Besides the commands of testscript and of test/script, scripts have these.
// Each use is one attack:
//
//	assertion WANT BODY          POST /v1/assertions on $ASSERTD_SOCKET
//	sign WANT BODY               POST /v1/sign
//	request WANT METHOD PATH [BODY]
//	raw ADDRESS FILE WANT...     sends a file's bytes on one connection
//	fails COMMAND [ARG ...]      runs a command, which must not succeed
//	attack NAME [ARG ...]        runs a function of this package
//
// certificate CERT KEY writes a certificate for localhost and is no attack.
//
// WANT is `signed`, an error code such as `claim-not-allowed`, or an HTTP
// status. The answer is the output that `stdout` looks at; assertions are
// decoded. For a new attack add a line or a script. If it needs more than
// requests, write a Go function in a file of its own, and add it to functions.
//
// TestAttacks prints a summary at the end. `make test` runs testdata, and `make
// attack` also what takes longer, in testdata/long.
package attack
