package onetnet

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"math/big"
	"net/url"
	"testing"
	"time"

	"go.dedis.ch/kyber/v3/sign/schnorr"
	"go.dedis.ch/kyber/v3/util/key"
	"go.dedis.ch/onet/v3/network"
)

// relayed is a message by which onet's own router tells who it thinks sent it.
type relayed struct{ Text string }

var relayedType = network.RegisterMessage(relayed{})

// onetRouter starts a router on the TLS host that onet comes with.
func onetRouter(t *testing.T, received chan *network.Envelope) (*network.Router, *network.ServerIdentity) {
	t.Helper()
	pair := key.NewKeyPair(suite)
	address := freeAddress(t)
	si := network.NewServerIdentity(pair.Public, network.NewTLSAddress(address))
	si.SetPrivate(pair.Private)
	r, err := network.NewTCPRouterWithListenAddr(si, suite, address)
	if err != nil {
		t.Fatal(err)
	}
	r.Quiet = true
	r.RegisterProcessorFunc(relayedType, func(e *network.Envelope) error {
		received <- e
		return nil
	})
	served := make(chan struct{})
	go func() { defer close(served); r.Start() }()
	t.Cleanup(func() { r.Stop(); <-served })
	return r, si
}

// onetCertificate makes a certificate as onet's host does, but around a
// signature from wherever.
func onetCertificate(t *testing.T, tlsKey *ecdsa.PrivateKey, name string, signature []byte) *tls.Certificate {
	uri, err := url.Parse("onet-pubkey::" + name)
	if err != nil {
		t.Error(err)
	}
	template := &x509.Certificate{
		BasicConstraintsValid: true,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:             time.Now().Add(-time.Minute),
		NotAfter:              time.Now().Add(time.Hour),
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		URIs:                  []*url.URL{uri},
		ExtraExtensions:       []pkix.Extension{{Id: onetSignatureOID, Value: signature}},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, tlsKey.Public(), tlsKey)
	if err != nil {
		t.Error(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: tlsKey}
}

var onetSignatureOID = asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 51281, 1, 1}

// This is why the package has a host of its own: with the one that onet comes
// with, a validator to whom another connects becomes that other to a third. When
// this test fails, onet has mended it, and the host here can be reconsidered.
func TestOnetHandshakeCanBeRelayed(t *testing.T) {
	received := make(chan *network.Envelope, 1)
	victim, victimID := onetRouter(t, received)
	_, targetID := onetRouter(t, received)

	pair := key.NewKeyPair(suite)
	relay := network.NewServerIdentity(pair.Public, network.NewTLSAddress(freeAddress(t)))
	tlsKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	challenge, answer := make(chan []byte, 1), make(chan []byte, 1)

	// Towards the victim the relay is a server that asks the target's question.
	serve := &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	serve.GetConfigForClient = func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		name := "Z" + hex.EncodeToString(encoded(t, relay))
		subject, _ := asn1.Marshal(name)
		signature, err := schnorr.Sign(suite, pair.Private, append([]byte(h.ServerName), subject...))
		if err != nil {
			return nil, err
		}
		pool := x509.NewCertPool()
		pool.AddCert(&x509.Certificate{RawSubject: <-challenge})
		return &tls.Config{
			ClientAuth: tls.RequireAnyClientCert, ClientCAs: pool,
			Certificates: []tls.Certificate{*onetCertificate(t, tlsKey, name, signature)},
			VerifyPeerCertificate: func(raw [][]byte, _ [][]*x509.Certificate) error {
				cert, err := x509.ParseCertificate(raw[0])
				if err != nil {
					return err
				}
				for _, e := range cert.Extensions {
					if e.Id.Equal(onetSignatureOID) {
						answer <- e.Value
						return nil
					}
				}
				return errors.New("no signature")
			},
		}, nil
	}
	listener, err := tls.Listen("tcp", relay.Address.NetworkAddress(), serve)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		if c, err := listener.Accept(); err == nil {
			c.(*tls.Conn).Handshake()
			c.Close()
		}
	}()
	sent := make(chan struct{})
	go func() { defer close(sent); victim.Send(relay, &relayed{"to the relay"}) }()
	defer func() { <-sent }()

	// Towards the target it is a client that gives the victim's answer.
	c, err := tls.Dial("tcp", targetID.Address.NetworkAddress(), &tls.Config{
		InsecureSkipVerify: true, ServerName: string(make([]byte, 32)),
		GetClientCertificate: func(r *tls.CertificateRequestInfo) (*tls.Certificate, error) {
			challenge <- r.AcceptableCAs[0]
			return onetCertificate(t, tlsKey, "Z"+hex.EncodeToString(encoded(t, victimID)), <-answer), nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, m := range []network.Message{victimID, &relayed{"in the victim's name"}} {
		b, err := network.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		n := len(b)
		if _, err := c.Write(append([]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)}, b...)); err != nil {
			t.Fatal(err)
		}
	}
	select {
	case e := <-received:
		if !e.ServerIdentity.Public.Equal(victimID.Public) {
			t.Fatalf("the target attributes the message to %v", e.ServerIdentity.Public)
		}
	case <-time.After(patience):
		t.Fatal("the target did not take the relayed proof: onet's handshake is bound to its channel now")
	}
}

func encoded(t *testing.T, si *network.ServerIdentity) []byte {
	b, err := si.Public.MarshalBinary()
	if err != nil {
		t.Error(err)
	}
	return b
}
