// Package kubernetes holds no code: its tests read deploy/kubernetes with the types
// of the Kubernetes API.
package kubernetes
