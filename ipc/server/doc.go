// Package server serves assertd's API on Unix sockets: it decodes requests,
// passes them to a [Service] or an [Operator], and encodes what they return.
package server
