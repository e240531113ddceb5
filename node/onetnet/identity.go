package onetnet

import (
	"bytes"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"time"

	"go.dedis.ch/kyber/v3"
	"go.dedis.ch/kyber/v3/group/edwards25519"
	"go.dedis.ch/kyber/v3/sign/schnorr"
)

// keySize is the size of an encoded scalar and of an encoded point.
const keySize = 32

// publicKey is an encoded point, usable as a map key.
type publicKey [keySize]byte

var suite = edwards25519.NewBlakeSHA256Ed25519()

// GenerateIdentity makes a validator's network identity: a random scalar and
// its point, 32 bytes each. The secret is for this package alone.
func GenerateIdentity() (secret, public []byte, err error) {
	x := suite.Scalar().Pick(suite.RandomStream())
	if secret, err = x.MarshalBinary(); err != nil {
		return nil, nil, fmt.Errorf("onetnet: encoding a new identity: %w", err)
	}
	if public, err = suite.Point().Mul(x, nil).MarshalBinary(); err != nil {
		return nil, nil, fmt.Errorf("onetnet: encoding a new identity: %w", err)
	}
	return secret, public, nil
}

// identity signs with a kyber scalar what TLS asks an Ed25519 key to sign.
// Schnorr signatures of kyber over this curve are valid Ed25519 signatures.
type identity struct {
	secret kyber.Scalar
	point  kyber.Point
	public publicKey
}

func parseIdentity(secret []byte) (*identity, error) {
	x := suite.Scalar()
	if err := x.UnmarshalBinary(secret); err != nil {
		return nil, fmt.Errorf("onetnet: identity secret of %d bytes, want %d", len(secret), keySize)
	}
	if c, ok := x.(interface{ IsCanonical([]byte) bool }); ok && !c.IsCanonical(secret) {
		return nil, errors.New("onetnet: identity secret is not a reduced scalar; make a new identity")
	}
	if x.Equal(suite.Scalar().Zero()) {
		return nil, errors.New("onetnet: identity secret is zero; make a new identity")
	}
	id := &identity{secret: x, point: suite.Point().Mul(x, nil)}
	b, err := id.point.MarshalBinary()
	if err != nil {
		return nil, fmt.Errorf("onetnet: encoding the identity: %w", err)
	}
	id.public = publicKey(b)
	return id, nil
}

// parsePublic decodes a peer's identity and refuses encodings and points with
// which nothing could be proven.
func parsePublic(b []byte) (kyber.Point, publicKey, error) {
	if len(b) != keySize {
		return nil, publicKey{}, fmt.Errorf("identity of %d bytes, want %d", len(b), keySize)
	}
	p := suite.Point()
	if err := p.UnmarshalBinary(b); err != nil {
		return nil, publicKey{}, fmt.Errorf("identity %x is not a point: %w", b, err)
	}
	c, ok := p.(interface {
		IsCanonical([]byte) bool
		HasSmallOrder() bool
	})
	if ok && (!c.IsCanonical(b) || c.HasSmallOrder()) {
		return nil, publicKey{}, fmt.Errorf("identity %x is not canonical or has a small order", b)
	}
	return p, publicKey(b), nil
}

func (id *identity) Public() crypto.PublicKey { return ed25519.PublicKey(id.public[:]) }

// Sign implements [crypto.Signer] for messages that are not hashed.
func (id *identity) Sign(_ io.Reader, message []byte, opts crypto.SignerOpts) ([]byte, error) {
	if opts.HashFunc() != crypto.Hash(0) {
		return nil, errors.New("onetnet: an identity signs whole messages, not hashes")
	}
	return schnorr.Sign(suite, id.secret, message)
}

// certificate wraps the identity for TLS. Nothing in it counts but the key.
func (id *identity) certificate() (tls.Certificate, error) {
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotBefore:    time.Unix(0, 0),
		NotAfter:     time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC), // "no expiry", RFC 5280 4.1.2.5
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, id.Public(), id)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("onetnet: making the certificate: %w", err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: id}, nil
}

// provenKey returns the identity that the other end proved. It is complete only
// once the handshake is: then TLS has checked that the owner of the certificate's
// key signed this very handshake.
func provenKey(cs tls.ConnectionState) (publicKey, error) {
	if cs.Version != tls.VersionTLS13 || len(cs.PeerCertificates) == 0 {
		return publicKey{}, errors.New("no certificate, or not TLS 1.3")
	}
	key, ok := cs.PeerCertificates[0].PublicKey.(ed25519.PublicKey)
	if !ok || len(key) != keySize {
		return publicKey{}, fmt.Errorf("certificate with a %T, want an Ed25519 key", cs.PeerCertificates[0].PublicKey)
	}
	return publicKey(bytes.Clone(key)), nil
}

// tlsConfig returns what both ends share. accept decides, within the handshake,
// on the key that the other end presents.
func tlsConfig(cert tls.Certificate, protocol string, accept func(publicKey) error) *tls.Config {
	return &tls.Config{
		MinVersion:             tls.VersionTLS13,
		Certificates:           []tls.Certificate{cert},
		ClientAuth:             tls.RequireAnyClientCert,
		InsecureSkipVerify:     true, // there is no authority: VerifyConnection decides by key
		SessionTicketsDisabled: true,
		NextProtos:             []string{protocol},
		// Connections are few and long-lived, so full-sized records from the start.
		DynamicRecordSizingDisabled: true,
		VerifyConnection: func(cs tls.ConnectionState) error {
			if cs.NegotiatedProtocol != protocol {
				return fmt.Errorf("the other end speaks %q, not %q: another network or version", cs.NegotiatedProtocol, protocol)
			}
			key, err := provenKey(cs)
			if err != nil {
				return err
			}
			return accept(key)
		},
	}
}
