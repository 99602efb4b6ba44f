// Package apiserver has only a test. It runs a real kube-apiserver and etcd on
// loopback, with assertd on SoftHSM as the signer of service-account tokens.
// make kubernetes-test runs it; make test doesn't, because the first run builds
// kube-apiserver.
package apiserver
