// Package server answers assertd's socket API: it decodes requests, routes them to
// a [Service], and writes down what comes back, for callers and for operators.
//
// What a request means is not decided here.
package server
