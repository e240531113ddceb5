package chain

import (
	"bytes"
	"errors"
	"testing"

	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
)

var testScheme = cositest.New("chain")

// testCommittee is a committee of n with the secrets of its members.
func testCommittee(t testing.TB, n int) (*cosi.Committee, []cosi.Secret) {
	t.Helper()
	var keys []cosi.PublicKey
	var secrets []cosi.Secret
	for i := range n {
		s := cositest.Secret(i)
		k, err := testScheme.Public(s)
		if err != nil {
			t.Fatal(err)
		}
		keys, secrets = append(keys, k), append(secrets, s)
	}
	c, err := testScheme.NewCommittee(keys)
	if err != nil {
		t.Fatal(err)
	}
	return c, secrets
}

// certify makes the block final by the first quorum of the committee.
func certify(t testing.TB, c *cosi.Committee, secrets []cosi.Secret, b *Block) {
	t.Helper()
	b.Header.Bodies = RefsHash(b.Refs)
	msg := VoteBytes(&b.Header, b.Header.Hash(), 4, Commit)
	k := cosi.NewCollector(c, msg)
	for i := range c.Quorum() {
		s, err := testScheme.Sign(secrets[i], msg)
		if err == nil {
			err = k.AddShare(i, s)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	cert, _, err := k.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	b.Cert = Certificate{View: 4, Phase: Commit, Certificate: cert}
}

// finalBlock is a certified block of shard 0 whose outcomes are in tree.
func finalBlock(t testing.TB) (*Block, OutcomeTree, *cosi.Committee) {
	t.Helper()
	x := goodTx()
	tree := OutcomeTree{
		{Dest: 0, Entries: []Entry{{Hash{1}, Committed}, {Hash{2}, Aborted}, {Hash{3}, Committed}}},
		{Dest: 1, Entries: []Entry{{x.ID, Accepted}, {Hash{5}, Rejected}}},
	}
	b := &Block{
		Header: Header{Chain: testParams.ChainID, Epoch: 1, Height: 7, Parent: Hash{6}, Outcomes: tree.Root()},
		Refs:   []BodyRef{{2, 1, Hash{8}}, {3, 9, Hash{7}}},
	}
	c, secrets := testCommittee(t, 4)
	certify(t, c, secrets, b)
	return b, tree, c
}

func TestABlockDecodesToItself(t *testing.T) {
	b, _, c := finalBlock(t)
	raw := b.AppendTo(nil)
	got, err := DecodeBlock(raw)
	if err != nil || !bytes.Equal(got.AppendTo(nil), raw) {
		t.Fatal(err)
	}
	if err := got.Cert.Verify(c, &got.Header, got.Header.Hash()); err != nil {
		t.Error(err)
	}
	got.Header.Height++
	if err := got.Cert.Verify(c, &got.Header, got.Header.Hash()); !errors.Is(err, ErrProof) {
		t.Error("the certificate holds for another height:", err)
	}
	b.Refs[0].Number++
	if _, err := DecodeBlock(b.AppendTo(nil)); !errors.Is(err, ErrEncoding) {
		t.Error("other bodies than the header names:", err)
	}
}

func TestAVoteNamesAllThatItIsFor(t *testing.T) {
	h := Header{Chain: Hash{1}, Shard: 2, Epoch: 3, Batch: 4, Height: 5}
	base := VoteBytes(&h, Hash{9}, 6, Prepare)
	for name, other := range map[string][]byte{
		"view":  VoteBytes(&h, Hash{9}, 7, Prepare),
		"phase": VoteBytes(&h, Hash{9}, 6, Commit),
		"block": VoteBytes(&h, Hash{8}, 6, Prepare),
		"chain": VoteBytes(&Header{Chain: Hash{2}, Shard: 2, Epoch: 3, Batch: 4, Height: 5}, Hash{9}, 6, Prepare),
		"shard": VoteBytes(&Header{Chain: Hash{1}, Shard: 1, Epoch: 3, Batch: 4, Height: 5}, Hash{9}, 6, Prepare),
		"epoch": VoteBytes(&Header{Chain: Hash{1}, Shard: 2, Epoch: 2, Batch: 4, Height: 5}, Hash{9}, 6, Prepare),
		"batch": VoteBytes(&Header{Chain: Hash{1}, Shard: 2, Epoch: 3, Batch: 5, Height: 5}, Hash{9}, 6, Prepare),
	} {
		if bytes.Equal(base, other) {
			t.Errorf("the vote does not name the %s", name)
		}
	}
}

func TestBodiesAreSignedAndNamed(t *testing.T) {
	key := testKey(5)
	b := &Body{Chain: Hash{1}, Shard: 1, Epoch: 2, Author: 3, Number: 4, Payload: PayloadOf([][]byte{goodTx().Raw}, nil)}
	b.SignBody(key)
	got, err := DecodeBody(b.Raw)
	if err != nil || got.Hash != b.Hash || got.Ref() != b.Ref() {
		t.Fatal(err)
	}
	pub := key.Public()
	if err := got.CheckSignature(&pub); err != nil {
		t.Error(err)
	}
	other := testKey(6).Public()
	if err := got.CheckSignature(&other); !errors.Is(err, ErrSignature) {
		t.Error("another author's signature:", err)
	}
	pl, err := testParams.DecodePayload(got.Payload)
	if err != nil || len(pl.Txs) != 1 || pl.Txs[0].ID != goodTx().ID {
		t.Error(pl, err)
	}
	for i := range bodyHeadSize {
		raw := bytes.Clone(b.Raw)
		raw[i]++
		if x, err := DecodeBody(raw); err != nil || x.Hash == b.Hash || x.CheckSignature(&pub) == nil {
			t.Fatal("byte", i, "is not covered", err)
		}
	}
}

func TestABodyMayHoldATurn(t *testing.T) {
	raw := TurnPayloadOf([]byte("next"), [][]byte{goodTx().Raw}, nil)
	pl, err := testParams.DecodePayload(raw)
	if err != nil || string(pl.Turn) != "next" || len(pl.Txs) != 1 || string(TurnOf(raw)) != "next" {
		t.Error(pl, err)
	}
	if turn := TurnOf(PayloadOf(nil, nil)); turn != nil {
		t.Errorf("a payload without a turn has %q", turn)
	}
	if _, err := testParams.DecodePayload(TurnPayloadOf(make([]byte, MaxTurnBytes+1), nil, nil)); !errors.Is(err, ErrEncoding) {
		t.Error("a turn that is too large:", err)
	}
	if turn := TurnOf([]byte{0, 0}); turn != nil {
		t.Errorf("garbage has the turn %q", turn)
	}
}
