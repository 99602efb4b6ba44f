// Package deploy has only tests. They check the files in the directory deploy
// with the tools that read them in production.
package deploy
