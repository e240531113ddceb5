package wallet

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"ios/chain"
	"ios/node/api"
)

// owner is a wallet with one address in each shard.
type owner struct {
	*Wallet
	at [2]chain.Address
}

// begin makes a network on which a wallet has coins of 100, 60 and 40 in shard
// 0 and of 50 in shard 1, and another one has nothing.
func begin(t *testing.T) (n *shards, alice, bob *owner) {
	t.Helper()
	words := wordsOf(append(make([]byte, 31), 1))
	seed, err := wordsSeed(words, "")
	if err != nil {
		t.Fatal(err)
	}
	b := branch(seed, chain.PrefixTest)
	at := [2]chain.Address{}
	for found, i := 0, uint32(0); found < 2; i++ {
		k, err := b.keyAt(i)
		if err != nil {
			t.Fatal(err)
		}
		if s := k.Address.Shard(2); at[s] == (chain.Address{}) {
			at[s], found = k.Address, found+1
		}
	}
	var allocations []chain.Output
	for _, a := range []uint64{100, 60, 40} {
		allocations = append(allocations, chain.Output{Owner: at[0], Amount: a})
	}
	n = start(t, append(allocations, chain.Output{Owner: at[1], Amount: 50}))
	return n, n.owner(words), n.owner("")
}

func (n *shards) owner(words string) *owner {
	n.Helper()
	w, err := Create(n.TempDir(), "secret", words, NetworkOf(n.genesis), cheap)
	if err != nil {
		n.Fatal(err)
	}
	o := &owner{Wallet: w}
	// The words give the same addresses in whatever order they are taken, as
	// long as they are tried from the first index.
	for found := 0; found < 2; {
		k, err := w.NewAddress(AnyShard)
		if err != nil {
			n.Fatal(err)
		}
		if s := k.Address.Shard(2); o.at[s] == (chain.Address{}) {
			o.at[s], found = k.Address, found+1
		}
	}
	return o
}

func (o *owner) text(shard int) string { return o.at[shard].Text(chain.PrefixTest) }

// send brings a transfer to its end within 15 seconds.
func (n *shards) send(o *owner, to string, amount, fee uint64) Result {
	n.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	res, err := o.Send(ctx, n.remote, to, amount, fee, Hear{})
	if err != nil {
		n.Fatal(err)
	}
	return res
}

// holds checks an owner's coins in both shards.
func (n *shards) holds(o *owner, want ...uint64) {
	n.Helper()
	b, err := o.Balance(context.Background(), n.remote)
	if err != nil {
		n.Fatal(err)
	}
	got := make([]uint64, 2)
	for _, s := range b.Shards {
		if s.Amount == nil {
			n.Fatalf("shard %d: %s", s.Shard, s.Reason)
		}
		got[s.Shard] = *s.Amount
	}
	if got[0] != want[0] || got[1] != want[1] || b.Total == nil || *b.Total != want[0]+want[1] {
		n.Fatalf("%v and %v in the shards, %v is wanted", got[0], got[1], want)
	}
}

func TestATransferWithinAShard(t *testing.T) {
	n, alice, bob := begin(t)
	n.holds(alice, 200, 50)
	res := n.send(alice, bob.text(0), 30, 0)
	if res.Verdict != VerdictCommitted || len(res.Shards) != 1 || res.Shards[0].Outcome != chain.Committed || res.Shards[0].Height != 1 {
		t.Fatalf("%+v", res)
	}
	n.holds(bob, 30, 0)
	n.holds(alice, 169, 50) // a fee of 1, the least
	all, err := alice.History()
	if err != nil || len(all) != 1 || all[0].Verdict != VerdictCommitted || all[0].Amount != 30 || all[0].Fee != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
}

func TestATransferAcrossShards(t *testing.T) {
	n, alice, bob := begin(t)
	// No shard of alice's has so much: it takes coins of both.
	res := n.send(alice, bob.text(1), 230, 2)
	if res.Verdict != VerdictCommitted || len(res.Shards) != 2 {
		t.Fatalf("%+v", res)
	}
	n.holds(bob, 0, 230)
	n.holds(alice, 18, 0)
	tx, err := n.remote.FetchTx(t.Context(), res.ID)
	if err != nil || tx.ID != res.ID {
		t.Fatal(err)
	}
	for _, o := range n.remote.Outcomes(t.Context(), tx) {
		if o.State != "committed" || !o.Proven || o.Outcome != chain.Committed {
			t.Errorf("%+v", o)
		}
	}
}

// TestAnInputSpentMeanwhile: one of two shards finds its input spent. The other
// one gives its coin back, and the wallet can spend it again.
func TestAnInputSpentMeanwhile(t *testing.T) {
	n, alice, bob := begin(t)
	p, err := alice.Prepare(t.Context(), n.remote, bob.text(1), 240, 1)
	if err != nil {
		t.Fatal(err)
	}
	twin := n.owner(alice.Words()) // the same words on another machine
	if res := n.send(twin, twin.text(1), 49, 1); res.Verdict != VerdictCommitted {
		t.Fatalf("%+v", res)
	}
	// Shard 0 locks before anybody asks shard 1.
	if err := n.ledgers[0].submit(p.Tx); err != nil {
		t.Fatal(err)
	}
	n.holds(alice, 0, 49)
	res, err := alice.Track(t.Context(), n.remote, p.Tx.ID, Hear{})
	if err != nil || res.Verdict != VerdictAborted || res.Reason == "" {
		t.Fatalf("%+v, %v", res, err)
	}
	n.holds(alice, 200, 49)
	n.holds(bob, 0, 0)
	if res := n.send(alice, bob.text(0), 150, 1); res.Verdict != VerdictCommitted {
		t.Fatalf("%+v", res)
	}
}

// TestATransferIsResumedAnywhere: the client dies after each number of answers;
// another machine that has only the id brings it to its end.
func TestATransferIsResumedAnywhere(t *testing.T) {
	for dies := range 6 {
		n, alice, bob := begin(t)
		p, err := alice.Prepare(t.Context(), n.remote, bob.text(1), 230, 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		seen := 0
		_, err = n.remote.Track(ctx, p.Tx, Hear{Progress: func(Progress) {
			if seen++; seen > dies {
				cancel()
			}
		}})
		cancel()
		if err == nil && dies < 1 {
			t.Fatal("it did not die")
		}
		finisher := bob.Wallet // nothing but the id
		if len(n.ledgers[0].blocks)+len(n.ledgers[1].blocks) == 0 {
			finisher = alice.Wallet // nobody has heard of it: it is in the journal alone
		}
		res, err := finisher.Track(t.Context(), n.remote, p.Tx.ID, Hear{})
		if err != nil || res.Verdict != VerdictCommitted {
			t.Fatalf("died after %d: %+v, %v", dies, res, err)
		}
		n.holds(bob, 0, 230)
	}
}

func TestAnUnreachableShardIsUnknownAndNotEmpty(t *testing.T) {
	n, alice, bob := begin(t)
	for _, s := range n.servers[1] {
		stop(s)
	}
	b, err := alice.Balance(t.Context(), n.remote)
	if err != nil {
		t.Fatal(err)
	}
	if b.Total != nil || b.Known != 200 || b.Shards[1].Amount != nil || !strings.Contains(b.Shards[1].Reason, "no validator of shard 1 answers") {
		t.Fatalf("%+v", b)
	}
	// What the other shard has can be spent.
	if res := n.send(alice, bob.text(0), 150, 1); res.Verdict != VerdictCommitted {
		t.Fatalf("%+v", res)
	}
	_, err = alice.Prepare(t.Context(), n.remote, bob.text(0), 90, 1)
	if !errors.Is(err, ErrBalance) || !strings.Contains(err.Error(), "shard 1") {
		t.Fatalf("not enough is known: %v", err)
	}
}

func TestDeadValidatorsAreWorkedAround(t *testing.T) {
	n, alice, bob := begin(t)
	stop(n.servers[0][0])
	stop(n.servers[1][2])
	if res := n.send(alice, bob.text(1), 230, 1); res.Verdict != VerdictCommitted {
		t.Fatalf("%+v", res)
	}
}

// TestALiarMovesNothing: a validator claims an outcome with another's proof, or
// with none. It is named, and the others' proofs count.
func TestALiarMovesNothing(t *testing.T) {
	n, alice, bob := begin(t)
	first := n.send(alice, bob.text(0), 30, 1)
	_, _, proof := n.ledgers[0].find(first.ID)
	lies := 0
	n.ledgers[0].lie = func(o api.Outcome) api.Outcome {
		if lies++; lies == 1 {
			return api.Outcome{State: api.StateCommitted, Proof: proof.AppendTo(nil)}
		}
		if lies == 2 {
			return api.Outcome{State: api.StateAborted, Proof: []byte("no proof")}
		}
		return o
	}
	var named []string
	p, err := alice.Prepare(t.Context(), n.remote, bob.text(0), 30, 1)
	if err != nil {
		t.Fatal(err)
	}
	res, err := n.remote.Track(t.Context(), p.Tx, Hear{Liar: func(v string, _ error) { named = append(named, v) }})
	if err != nil || res.Verdict != VerdictCommitted || len(named) != 2 {
		t.Fatalf("%+v, %v, liars %v", res, err, named)
	}
	n.holds(bob, 60, 0)
}

// TestNothingIsSignedThatMustNot: refused before anything is in the journal.
func TestNothingIsSignedThatMustNot(t *testing.T) {
	n, alice, bob := begin(t)
	for name, c := range map[string]struct {
		to     string
		amount uint64
		fee    uint64
		kind   chain.ErrorKind
	}{
		"another network":       {bob.at[0].Text(chain.PrefixMain), 10, 1, chain.ErrAddress},
		"a typing error":        {strings.Replace(bob.text(0), "iost1p", "iost1q", 1), 10, 1, chain.ErrAddress},
		"nothing":               {bob.text(0), 0, 1, chain.ErrAmount},
		"more than 64 bits":     {bob.text(0), ^uint64(0), 1, chain.ErrAmount},
		"more than there is":    {bob.text(0), 250, 1, ErrInsufficient},
		"all, without the fee":  {bob.text(0), 250, 0, ErrInsufficient},
		"an overflow with fees": {bob.text(0), 1, ^uint64(0), chain.ErrAmount},
	} {
		if _, err := alice.Prepare(t.Context(), n.remote, c.to, c.amount, c.fee); !errors.Is(err, c.kind) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := alice.PrepareStake(t.Context(), n.remote, bob.at[0], 10, 1); !errors.Is(err, chain.ErrStake) {
		t.Errorf("a stake where there is no registry: %v", err)
	}
	g := *n.remote.Genesis
	g.Policy.EpochLength, g.Policy.MinStake = time.Minute, 20
	strict := *n.remote
	strict.Genesis = &g
	if _, err := alice.PrepareStake(t.Context(), &strict, bob.at[0], 10, 1); !errors.Is(err, chain.ErrAmount) {
		t.Errorf("less than a stake: %v", err)
	}
	if _, err := os.Stat(alice.journal.path()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the journal: %v", err)
	}
}

// TestCoinsUnderWayAreNotSpentAgain until their transfer is settled.
func TestCoinsUnderWayAreNotSpentAgain(t *testing.T) {
	n, alice, bob := begin(t)
	first, err := alice.Prepare(t.Context(), n.remote, bob.text(0), 99, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := alice.Balance(t.Context(), n.remote)
	if err != nil || b.Outgoing != 100 || *b.Total != 250 {
		t.Fatalf("%+v, %v", b, err)
	}
	second, err := alice.Prepare(t.Context(), n.remote, bob.text(0), 99, 1)
	if err != nil {
		t.Fatal(err)
	}
	for i := range second.Tx.Inputs {
		if second.Tx.Inputs[i].OutPoint == first.Tx.Inputs[0].OutPoint {
			t.Fatal("a coin is spent twice")
		}
	}
	if _, err := alice.Prepare(t.Context(), n.remote, bob.text(0), 60, 1); !errors.Is(err, ErrInsufficient) || !strings.Contains(err.Error(), "200 more is in unfinished transfers") {
		t.Fatalf("%v", err)
	}
	// Their ends free what they left: the change and nothing else.
	for _, p := range []*Prepared{first, second} {
		if err := n.ledgers[0].submit(p.Tx); err != nil {
			t.Fatal(err)
		}
	}
	if ended, err := alice.Settle(t.Context(), n.remote); err != nil || ended != 2 {
		t.Fatalf("%d, %v", ended, err)
	}
	n.holds(alice, 0, 50)
}

// TestWhatIsLockedIsShown while a shard that the transfer needs cannot be asked: it is
// not listed by any shard, and must not look lost.
func TestWhatIsLockedIsShown(t *testing.T) {
	n, alice, bob := begin(t)
	p, err := alice.Submit(t.Context(), n.remote, bob.text(1), 69, 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range n.servers[1] {
		stop(s)
	}
	var spent uint64
	for _, in := range p.Tx.Inputs {
		spent += in.Amount
	}
	b, err := alice.Balance(t.Context(), n.remote)
	if err != nil || b.Locked != spent || b.Known != 200-spent || b.Outgoing != 0 {
		t.Fatalf("%d is locked: %+v, %v", spent, b, err)
	}
}

// TestLockedCoinsAreMissed by a transfer that they would be enough for.
func TestLockedCoinsAreMissed(t *testing.T) {
	n, alice, bob := begin(t)
	if _, err := alice.Submit(t.Context(), n.remote, bob.text(1), 199, 1); err != nil {
		t.Fatal(err)
	}
	_, err := alice.Prepare(t.Context(), n.remote, bob.text(0), 99, 1)
	if !errors.Is(err, ErrInsufficient) || !strings.Contains(err.Error(), "200 more is in unfinished transfers") {
		t.Fatal(err)
	}
}

// TestTheJournalComesFirst: a transfer that nobody could be handed is on disk.
func TestTheJournalComesFirst(t *testing.T) {
	n, alice, bob := begin(t)
	n.ledgers[0].refuse = chain.Rule(chain.ErrFull, "the mempool has no room")
	p, err := alice.Submit(t.Context(), n.remote, bob.text(0), 30, 1)
	if !errors.Is(err, chain.ErrFull) || p == nil || !strings.Contains(err.Error(), p.Tx.ID.String()) {
		t.Fatalf("%v", err)
	}
	n.ledgers[0].refuse = nil
	again, err := Open(alice.dir, "secret", NetworkOf(n.genesis), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if res, err := again.Track(t.Context(), n.remote, p.Tx.ID, Hear{}); err != nil || res.Verdict != VerdictCommitted {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := bob.Track(t.Context(), n.remote, chain.TxID{9}, Hear{}); !errors.Is(err, ErrUnknownTx) {
		t.Fatalf("an unknown id: %v", err)
	}
}

func TestRecoveryFindsWhatHoldsCoins(t *testing.T) {
	n, alice, _ := begin(t)
	w, err := Create(t.TempDir(), "other", alice.Words(), NetworkOf(n.genesis), cheap)
	if err != nil {
		t.Fatal(err)
	}
	if found, err := w.Recover(t.Context(), n.remote); err != nil || found != 2 {
		t.Fatalf("%d addresses, %v", found, err)
	}
	if found, err := w.Recover(t.Context(), n.remote); err != nil || found != 0 {
		t.Fatalf("again: %d addresses, %v", found, err)
	}
	n.holds(&owner{Wallet: w}, 200, 50)
}

// TestARefusedTransfer: all validators refuse it, so nothing has happened.
func TestARefusedTransfer(t *testing.T) {
	n, alice, bob := begin(t)
	p, err := alice.Prepare(t.Context(), n.remote, bob.text(0), 30, 1)
	if err != nil {
		t.Fatal(err)
	}
	twin := n.owner(alice.Words())
	// The same coin goes elsewhere: the smallest that is enough, as before.
	if res := n.send(twin, twin.text(0), 30, 1); res.Verdict != VerdictCommitted {
		t.Fatalf("%+v", res)
	}
	res, err := alice.Track(t.Context(), n.remote, p.Tx.ID, Hear{})
	if err != nil || res.Verdict != VerdictRefused || res.Reason == "" {
		t.Fatalf("%+v, %v", res, err)
	}
}

// Whoever chooses coins while another one does, too, in this program or in a
// second one, must not choose the same.
func TestTransfersAtATimeSpendDifferentCoins(t *testing.T) {
	n, alice, bob := begin(t)
	second, err := Open(alice.dir, "secret", NetworkOf(n.genesis), cheap)
	if err != nil {
		t.Fatal(err)
	}
	wallets := []*Wallet{alice.Wallet, second, alice.Wallet}
	made := make([]*Prepared, len(wallets))
	var wait sync.WaitGroup
	for i, w := range wallets {
		wait.Go(func() {
			p, err := w.Prepare(t.Context(), n.remote, bob.text(0), 30, 0)
			if err != nil {
				t.Error(err)
				return
			}
			made[i] = p
		})
	}
	wait.Wait()
	spent := make(map[chain.OutPoint]bool)
	for _, p := range made {
		if p == nil {
			continue
		}
		for _, in := range p.Tx.Inputs {
			if spent[in.OutPoint] {
				t.Errorf("two transfers spend %v", in.OutPoint)
			}
			spent[in.OutPoint] = true
		}
	}
}

// The id of a transaction does not cover its witnesses: who hands one over may
// have put others into it, and a shard that only gets outputs may not know.
func TestATransactionWithForgedWitnessesIsNotFetched(t *testing.T) {
	n, alice, bob := begin(t)
	res := n.send(alice, bob.text(1), 150, 0) // from shard 0 to shard 1
	good := n.ledgers[0].txs[res.ID]
	forged := bytes.Clone(good)
	forged[len(forged)-1] ^= 1
	n.ledgers[0].txs[res.ID] = forged
	if tx, err := n.remote.FetchTx(t.Context(), res.ID); err != nil || !bytes.Equal(tx.Raw, good) {
		t.Errorf("one shard has it as it was signed: %v, %v", tx, err)
	}
	n.ledgers[1].txs[res.ID] = forged
	if _, err := n.remote.FetchTx(t.Context(), res.ID); !errors.Is(err, chain.ErrEncoding) || !strings.Contains(err.Error(), "does not verify") {
		t.Errorf("no shard has it as it was signed: %v", err)
	}
}

// A validator that is behind lists coins that are spent. The wallet knows of its
// own transfers.
func TestASpentCoinIsNotSpentAgain(t *testing.T) {
	n, alice, bob := begin(t)
	before, _ := n.ledgers[0].state.Coins().Owned(alice.at[0], nil, 10)
	n.send(alice, bob.text(0), 99, 0) // takes the coin of 100
	n.ledgers[0].list = func(p *api.CoinsPage) {
		if len(p.Coins) == 0 {
			return // not of alice
		}
		p.Coins = nil
		for _, e := range before {
			p.Coins = append(p.Coins, api.Coin{OutPoint: e.OutPoint, Amount: e.Amount})
		}
	}
	n.holds(alice, 100, 50)
	if res := n.send(alice, bob.text(0), 90, 0); res.Verdict != VerdictCommitted {
		t.Fatalf("%+v", res)
	}
}

// Validators that lie about coins must not make the sum start at zero again.
func TestBalancesDoNotOverflow(t *testing.T) {
	n, alice, _ := begin(t)
	for _, l := range n.ledgers {
		l.list = func(p *api.CoinsPage) {
			p.Done, p.Coins = true, []api.Coin{{OutPoint: chain.OutPoint{Index: uint32(l.id)}, Amount: 1 << 63}}
		}
	}
	b, err := alice.Balance(t.Context(), n.remote)
	if err != nil || b.Total != nil || b.Known != 1<<63 || b.Shards[1].Amount != nil || b.Shards[1].Reason == "" {
		t.Fatalf("%+v, %v", b, err)
	}
}
