// Package deploy holds no code: its tests hold what lies in deploy to what it
// promises, with the tools that will read it on the machines that run assertd.
package deploy
