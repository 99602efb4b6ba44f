// Package kubernetes has only tests. They decode deploy/kubernetes into the
// types of the Kubernetes API.
package kubernetes
