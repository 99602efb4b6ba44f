// Package ipc is assertd's socket API: HTTP/1.1 and JSON over Unix stream
// sockets.
//
// It holds the wire types that both sides share, the closed table of error
// codes, the sockets and who may open them, the caller's identity as the kernel
// vouches for it, and the server that puts them together. What a request means
// is not decided here: the server hands a decoded request and a typed [Peer] to
// a [Service] and writes down what comes back.
//
// openapi.yaml in this directory is the API's reference; [OpenAPI] returns it.
//
// # Compatibility
//
// Within /v1 responses may gain members, so a client must ignore members that
// it does not know. Requests are read strictly: an unknown or repeated member,
// a name in another case, an explicit null or bytes after the document are
// refused, because a member that one side ignores is a restriction that the
// other side believes in.
//
// # Who the peer is
//
// The kernel names the process that called connect(2), with the user and group
// ids that it had then. A connected socket that is handed to another process
// (fork, SCM_RIGHTS) keeps that identity: whoever holds the descriptor speaks
// for the process that made the connection, as with any open file. See [Peer]
// for what each attribute is worth.
package ipc
