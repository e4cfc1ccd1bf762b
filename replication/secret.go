package replication

import (
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"time"
)

// Nodes that share a key authenticate each other by certificates. The key and the name of the cluster determine an
// authority, which each node derives for itself; at its start it certifies itself with it, and it checks others against
// it. So one shared secret needs no files, and what nodes send is encrypted.

// nodesName is the name in the certificates of all nodes. It has no meaning.
const nodesName = "gospaces"

// tls returns the TLS configuration between nodes; nil if they are all on this machine and nothing is set.
func (c *Cluster) tls() (*tls.Config, error) {
	switch {
	case c.TLS != nil:
		return mutual(c.TLS), nil
	case len(c.Key) > 0:
		return keyed(c.Key, c.Name)
	}
	return nil, nil
}

// mutual returns a configuration by which each side must show a certificate.
func mutual(given *tls.Config) *tls.Config {
	t := given.Clone()
	t.ClientAuth = tls.RequireAndVerifyClientCert
	if t.ClientCAs == nil {
		t.ClientCAs = t.RootCAs
	}
	if t.MinVersion == 0 {
		t.MinVersion = tls.VersionTLS13
	}
	return t
}

// keyed returns the configuration that follows from a key.
func keyed(key []byte, cluster string) (*tls.Config, error) {
	seed, err := hkdf.Key(sha256.New, key, nil, "gospaces routes of cluster "+cluster, ed25519.SeedSize)
	if err != nil {
		return nil, err
	}
	authority := ed25519.NewKeyFromSeed(seed)
	root := certificate("gospaces cluster "+cluster, x509.KeyUsageCertSign)
	root.IsCA, root.BasicConstraintsValid = true, true
	raw, err := x509.CreateCertificate(rand.Reader, root, root, authority.Public(), authority)
	if err != nil {
		return nil, err
	}
	if root, err = x509.ParseCertificate(raw); err != nil {
		return nil, err
	}
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	node := certificate(nodesName, x509.KeyUsageDigitalSignature)
	node.DNSNames = []string{nodesName}
	node.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	if raw, err = x509.CreateCertificate(rand.Reader, node, root, public, authority); err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AddCert(root)
	return mutual(&tls.Config{
		ServerName: nodesName, RootCAs: roots,
		Certificates: []tls.Certificate{{Certificate: [][]byte{raw}, PrivateKey: private}},
	}), nil
}

// certificate returns the template of a certificate that is valid whatever the clocks of nodes say. It lasts as long as
// the process.
func certificate(name string, usage x509.KeyUsage) *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, KeyUsage: usage,
		NotBefore: time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC),
	}
}
