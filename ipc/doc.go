// Package ipc is assertd's socket API: HTTP/1.1 and JSON over Unix stream
// sockets.
//
// It has what the daemon and its clients share: the wire types and the table of
// error codes. The server is ipc/server, and ipc/peer identifies its callers.
//
// openapi.yaml in this directory is the reference of the API. [OpenAPI] returns
// it.
//
// # Compatibility
//
// Responses may gain members within /v1, so a client must ignore unknown
// members. Requests are strict: the daemon refuses unknown or repeated members,
// names in another case, explicit nulls, and bytes after the document. If it
// ignored a member, the caller would believe in a restriction that doesn't
// exist.
//
// This package and ipc/caller are API, like package client: within a major
// version, nothing exported is removed or changes its meaning. Struct fields
// may be added, so use keyed struct literals. The packages ipc/server and
// ipc/peer may change.
package ipc
