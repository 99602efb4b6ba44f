// Package ipc is assertd's socket API: HTTP/1.1 and JSON over Unix stream
// sockets.
//
// It holds what the daemon and its clients share: the wire types and the closed
// table of error codes. The server is ipc/server; who calls it is found out by
// ipc/peer.
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
// This package and ipc/caller are API, like package client: within a major
// version, nothing exported is removed or changes its meaning. Struct fields
// may be added, so use keyed struct literals. The packages ipc/server and
// ipc/peer may change.
package ipc
