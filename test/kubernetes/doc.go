// Package kubernetes has only tests. They render deploy/kubernetes with
// kustomize and deploy/helm with Helm, each as a library, decode the result
// into the types of the Kubernetes API, and check what must hold of it. There
// is no cluster: nothing here shows that a kubelet runs the pods.
package kubernetes
