// Package web serves HTTP to the network, where anyone may connect: with short
// times and few bytes for each request, places that one address can't take from
// all others, and the addresses of clients behind proxies.
package web
