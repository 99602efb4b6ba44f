package store_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/assertd/assertd/internal/store"
	"github.com/assertd/assertd/internal/store/storetest"
	"github.com/assertd/assertd/ipc"
)

// TestStoreCluster: a cluster is asked at the shard that has the keys.
func TestStoreCluster(t *testing.T) {
	server := storetest.Start(t, "", "--cluster-enabled", "yes")
	single := open(t, store.Options{Addresses: []string{server.Address}})
	if err := single.Client().Do(t.Context(), "CLUSTER", "ADDSLOTSRANGE", 0, 16383).Err(); err != nil {
		t.Fatal(err)
	}
	s := open(t, store.Options{Addresses: []string{server.Address}, Cluster: true})
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // until the cluster is formed
		err := s.Prove(t.Context())
		if err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
	if status := s.Status(); !status.Up || len(status.Replication) != 40 {
		t.Errorf("%+v", status)
	}
}

// TestStoreSentinel: the sentinels name the primary, and the next one when it
// is gone.
func TestStoreSentinel(t *testing.T) {
	primary := storetest.Start(t, "")
	host, port, _ := strings.Cut(primary.Address, ":")
	replica := storetest.Start(t, "", "--replicaof", host, port)
	watched := open(t, store.Options{Addresses: []string{replica.Address}})
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) { // until it follows
		info, err := watched.Client().Info(t.Context(), "replication").Result()
		if err == nil && strings.Contains(info, "master_link_status:up") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the replica doesn't follow: %s %v", info, err)
		}
	}
	sentinel := storetest.StartSentinel(t, "fleet", primary.Address)
	s := open(t, store.Options{Addresses: []string{sentinel.Address}, Master: "fleet"})
	run(t, s)
	first := waitFor(t, s, "up", up)
	primary.Kill()
	waitFor(t, s, "up at the replica", func(status ipc.StoreStatus) bool { return status.Up && status.Replication != first.Replication })
	if err := s.Prove(t.Context()); err != nil {
		t.Error(err)
	}
}

// TestStoreTLS: the server's certificate must come from the authority and be
// for its name, and the client's is shown.
func TestStoreTLS(t *testing.T) {
	dir := t.TempDir()
	certificate(t, dir, "server", net.IPv4(127, 0, 0, 1))
	certificate(t, dir, "other", net.IPv4(127, 0, 0, 2))
	pem := func(name string) string { return filepath.Join(dir, name) }
	server := storetest.StartTLS(t, pem("server.crt"), pem("server.key"), pem("server.crt"))
	connect := func(c store.Certificates) error {
		return open(t, store.Options{Addresses: []string{server.Address}, TLS: &c}).Prove(t.Context())
	}
	own := store.Certificates{CA: pem("server.crt"), Cert: pem("server.crt"), Key: pem("server.key")}
	if err := connect(own); err != nil {
		t.Error(err)
	}
	foreign := own
	foreign.CA = pem("other.crt")
	var unknown x509.UnknownAuthorityError
	if err := connect(foreign); !errors.As(err, &unknown) || !strings.Contains(err.Error(), "budgets.shared.tls") {
		t.Errorf("another authority: %v", err)
	}
	without := own
	without.Cert, without.Key = "", ""
	if err := connect(without); err == nil {
		t.Error("the server takes no certificate of the client")
	}
	if err := open(t, store.Options{Addresses: []string{server.Address}}).Prove(t.Context()); err == nil {
		t.Error("a connection without TLS works")
	}
}

// certificate writes a certificate that signs itself, and its key.
func certificate(t *testing.T, dir, name string, address net.IP) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{address},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	public, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{".crt": {Type: "CERTIFICATE", Bytes: public}, ".key": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, name+file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(fmt.Errorf("%s: %w", file, err))
		}
	}
}
