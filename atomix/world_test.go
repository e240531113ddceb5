package atomix

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/chain/utxo"
)

// fataler is what testing.T and rapid.T have in common.
type fataler interface {
	Helper()
	Fatalf(format string, args ...any)
	Fatal(args ...any)
}

// wallet is an owner.
type wallet struct {
	key  *sig.Key
	addr chain.Address
}

// coin is an output that somebody may spend.
type coin struct {
	chain.OutPoint
	owner  *wallet
	amount uint64
}

// pay is an output to be.
type pay struct {
	to     *wallet
	amount uint64
}

// world is several shards without a network and without votes: a block is
// executed and certified at once.
type world struct {
	fataler
	params *chain.Params
	epoch  uint64
	supply uint64
	nextW  uint64
	allocs []chain.Output
	coins  []coin      // of the genesis
	probes []*chain.Tx // that are looked at in every execution
	shards []*ledger

	registry *ledger        // certifies for the identity chain, see registry_test.go
	moved    map[uint64]Net // into the registry, by expiry
	waiting  int            // payouts that the registry has no answer to
}

// ledger is a shard of the world.
type ledger struct {
	w         *world
	id        chain.ShardID
	state     *State
	scheme    *cositest.Scheme
	secrets   []cosi.Secret
	committee *cosi.Committee
	finals    []*final // by height, from 1
}

type final struct {
	block  *chain.Block
	report *Report
	txs    map[chain.TxID]*chain.Tx
}

// newWorld has an owner with the given amounts in each shard: coins[shard].
func newWorld(t fataler, shards int, amounts ...uint64) *world {
	w := &world{fataler: t, epoch: 1}
	w.params = chain.NewParams(chain.Hash{byte(shards)}, chain.PrefixTest, shards, 1)
	for s := range chain.ShardID(shards) {
		for _, a := range amounts {
			o := w.wallet(s)
			w.coins = append(w.coins, coin{
				chain.OutPoint{Tx: chain.AllocationTx(w.params.ChainID), Index: uint32(len(w.allocs))}, o, a})
			w.allocs = append(w.allocs, chain.Output{Owner: o.addr, Amount: a})
			w.supply += a
		}
	}
	for s := range chain.ShardID(shards) {
		l := &ledger{w: w, id: s, state: NewState(w.params, s, [16]byte{byte(s)})}
		if err := l.state.Genesis(w.allocs); err != nil {
			t.Fatal(err)
		}
		l.appoint()
		w.shards = append(w.shards, l)
	}
	w.registry, w.moved = &ledger{w: w, id: chain.IdentityShard}, map[uint64]Net{}
	w.registry.appoint()
	return w
}

// appoint makes the committee.
func (l *ledger) appoint() {
	l.scheme = cositest.New(fmt.Sprint("shard ", l.id))
	var keys []cosi.PublicKey
	for i := range 4 {
		secret := cositest.Secret(i)
		key, err := l.scheme.Public(secret)
		if err != nil {
			l.w.Fatal(err)
		}
		l.secrets, keys = append(l.secrets, secret), append(keys, key)
	}
	var err error
	if l.committee, err = l.scheme.NewCommittee(keys); err != nil {
		l.w.Fatal(err)
	}
}

// wallet makes an owner in a shard.
func (w *world) wallet(shard chain.ShardID) *wallet {
	for {
		w.nextW++
		seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("owner"), w.nextW))
		key, err := sig.FromSeed(seed[:])
		if err != nil {
			w.Fatal(err)
		}
		public := [32]byte(key.Public())
		if a := chain.AddressOf(&public); a.Shard(w.params.Shards) == shard {
			return &wallet{key, a}
		}
	}
}

// coin is the i-th genesis coin of a shard.
func (w *world) coin(shard chain.ShardID, i int) coin {
	for _, c := range w.coins {
		if c.owner.addr.Shard(w.params.Shards) == shard {
			if i == 0 {
				return c
			}
			i--
		}
	}
	w.Fatalf("shard %d has no coin %d", shard, i)
	return coin{}
}

// tx makes a signed transaction that expires with the epoch.
func (w *world) tx(spend []coin, outs ...pay) *chain.Tx {
	t := &chain.Tx{Expiry: w.epoch}
	for _, c := range spend {
		t.Inputs = append(t.Inputs, chain.Input{OutPoint: c.OutPoint, Owner: c.owner.addr, Amount: c.amount})
	}
	for _, o := range outs {
		t.Outputs = append(t.Outputs, chain.Output{Owner: o.to.addr, Amount: o.amount})
	}
	return w.sign(t, spend)
}

func (w *world) sign(t *chain.Tx, spend []coin) *chain.Tx {
	w.params.Seal(t)
	var signed []chain.Address
	for _, c := range spend {
		if !slices.Contains(signed, c.owner.addr) {
			signed = append(signed, c.owner.addr)
			t.Witnesses = append(t.Witnesses, chain.Witness{
				PublicKey: [32]byte(c.owner.key.Public()), Signature: c.owner.key.Sign(chain.SignedBytes(t.ID))})
		}
	}
	w.params.Seal(t)
	return t
}

// out is output i of t as a coin of the owner.
func out(t *chain.Tx, i uint32, owner *wallet) coin {
	return coin{chain.OutPoint{Tx: t.ID, Index: i}, owner, t.Outputs[i].Amount}
}

// try does what honest validators do with a body: it is checked, executed, taken
// back, executed again, certified and made final. An error says why they refuse
// the body.
func (l *ledger) try(txs []*chain.Tx, bundles []*chain.Bundle) (*final, error) {
	l.w.Helper()
	var rawTxs, rawBundles [][]byte
	for _, t := range txs {
		rawTxs = append(rawTxs, t.Raw)
	}
	for _, b := range bundles {
		rawBundles = append(rawBundles, b.AppendTo(nil))
	}
	raw := chain.PayloadOf(rawTxs, rawBundles)
	pl, err := l.w.params.DecodePayload(raw)
	if err != nil {
		return nil, err
	}
	if err := l.check(pl); err != nil {
		return nil, err
	}
	h := chain.Header{
		Chain: l.w.params.ChainID, Shard: l.id, Epoch: l.w.epoch, Height: uint64(len(l.finals) + 1),
		Bodies: sha256.Sum256(raw),
	}
	before, coins := l.snapshot(), l.coinsByOwner()
	probes := append(slices.Clone(l.w.probes), txs...)
	for _, o := range l.state.OpenRecords() {
		probes = append(probes, o.Tx)
	}
	for _, b := range bundles {
		for i := range b.Txs {
			probes = append(probes, &b.Txs[i])
		}
	}
	verdicts := l.verdicts(probes)
	root := l.state.Execute(&h, []*chain.Body{{Content: pl}})
	l.expectFinalCoins(coins)
	l.expectFinal(probes, verdicts)
	l.state.Revert()
	if err := l.state.Audit(); err != nil {
		l.w.Fatal(err)
	}
	if !bytes.Equal(before, l.snapshot()) {
		l.w.Fatal("taking the execution back does not restore the state")
	}
	if again := l.state.Execute(&h, []*chain.Body{{Payload: raw}}); again != root {
		l.w.Fatal("the second execution came to something else")
	}
	h.Outcomes = root
	return l.finalize(h), nil
}

// verdicts is what the last final state says of transactions.
func (l *ledger) verdicts(txs []*chain.Tx) (list []string) {
	for _, t := range txs {
		st, known := l.state.Status(t.ID)
		list = append(list, fmt.Sprint(l.state.Final().Validate(t, l.w.epoch), st, known))
	}
	return list
}

// expectFinal checks that an open execution does not show in Final, and that it
// tells what the execution records.
func (l *ledger) expectFinal(txs []*chain.Tx, want []string) {
	l.w.Helper()
	if got := l.verdicts(txs); !slices.Equal(got, want) {
		l.w.Fatalf("in an execution the transactions are\n%q, finally\n%q", got, want)
	}
	for _, t := range txs {
		recorded := slices.ContainsFunc(l.state.Report().Outcomes, func(e chain.Entry) bool { return e.ID == t.ID })
		if got := l.state.Final().Executing(t.ID); got != recorded {
			l.w.Fatalf("the execution records %s: %v, and Final says %v", t.ID.Short(), recorded, got)
		}
	}
}

// coinsByOwner are all coins, in order.
func (l *ledger) coinsByOwner() map[chain.Address][]utxo.Entry {
	coins := make(map[chain.Address][]utxo.Entry)
	for e := range l.state.coins.Sorted() {
		coins[e.Owner] = append(coins[e.Owner], e)
	}
	return coins
}

// expectFinalCoins checks that an open execution does not show in the lists of
// coins, page by page.
func (l *ledger) expectFinalCoins(want map[chain.Address][]utxo.Entry) {
	l.w.Helper()
	owners := l.coinsByOwner() // and those who have nothing yet
	maps.Copy(owners, want)
	for owner := range owners {
		for size := range 3 {
			var got []utxo.Entry
			var after *chain.OutPoint
			for more := true; more; {
				var page []utxo.Entry
				if page, more = l.state.Owned(owner, after, size+1); len(page) > 0 {
					after = &page[len(page)-1].OutPoint
				} else if more {
					l.w.Fatal("an empty page, and more to come")
				}
				got = append(got, page...)
			}
			if !slices.Equal(got, want[owner]) {
				l.w.Fatalf("in an execution an owner has %v, finally %v, in pages of %d", got, want[owner], size+1)
			}
		}
	}
}

func (l *ledger) finalize(h chain.Header) *final {
	b := &chain.Block{Header: h, Cert: l.certify(&h)}
	l.state.Finalize(b)
	f := &final{block: b, report: l.state.Report(), txs: map[chain.TxID]*chain.Tx{}}
	for i := range f.report.Opened {
		f.txs[f.report.Opened[i].Tx.ID] = f.report.Opened[i].Tx
	}
	l.finals = append(l.finals, f)
	l.w.audit()
	return f
}

func (l *ledger) certify(h *chain.Header) chain.Certificate {
	msg := chain.VoteBytes(h, h.Hash(), 0, chain.Commit)
	c := cosi.NewCollector(l.committee, msg)
	for i := range 3 {
		s, err := l.scheme.Sign(l.secrets[i], msg)
		if err == nil {
			err = c.AddShare(i, s)
		}
		if err != nil {
			l.w.Fatal(err)
		}
	}
	cert, _, err := c.Certificate()
	if err != nil {
		l.w.Fatal(err)
	}
	return chain.Certificate{Phase: chain.Commit, Certificate: cert}
}

// check is what a member checks before it acks a body.
func (l *ledger) check(pl *chain.Payload) error {
	if err := CheckPayload(l.w.params, pl, l.id, l.w.epoch); err != nil {
		return err
	}
	for _, c := range Certificates(pl) {
		if err := l.w.verify(c); err != nil {
			return err
		}
	}
	return verifyWitnesses(Signatures(l.w.params, pl, l.id, nil))
}

func (w *world) verify(c Certified) error {
	if c.Header.Shard == chain.IdentityShard {
		return c.Cert.Verify(w.registry.committee, c.Header, c.Block)
	}
	return c.Cert.Verify(w.shards[c.Header.Shard].committee, c.Header, c.Block)
}

func verifyWitnesses(txs []*chain.Tx) error {
	for _, t := range txs {
		for i := range t.Witnesses {
			key := sig.PublicKey(t.Witnesses[i].PublicKey)
			if !sig.Verify(&key, chain.SignedBytes(t.ID), &t.Witnesses[i].Signature) {
				return chain.Rule(chain.ErrSignature, "witness %d of %s", i, t.ID.Short())
			}
		}
	}
	return nil
}

func (l *ledger) snapshot() []byte {
	l.w.Helper()
	var buf bytes.Buffer
	if err := l.state.WriteSnapshot(&buf); err != nil {
		l.w.Fatal(err)
	}
	return buf.Bytes()
}

// submit makes a block of clients' transactions.
func (l *ledger) submit(txs ...*chain.Tx) *final {
	l.w.Helper()
	f, err := l.try(txs, nil)
	if err != nil {
		l.w.Fatal(err)
	}
	return f
}

// carry makes a block of bundles.
func (l *ledger) carry(bundles ...*chain.Bundle) *final {
	l.w.Helper()
	f, err := l.try(nil, bundles)
	if err != nil {
		l.w.Fatal(err)
	}
	return f
}

// bundle is what the shard's final blocks told dest of id, with the transactions
// that it knows.
func (l *ledger) bundle(id chain.TxID, dest chain.ShardID) *chain.Bundle {
	l.w.Helper()
	for _, f := range l.finals {
		if b := f.bundle(id, dest); b != nil {
			return b
		}
	}
	l.w.Fatalf("shard %d told shard %d nothing of %s", l.id, dest, id.Short())
	return nil
}

func (f *final) bundle(id chain.TxID, dest chain.ShardID) *chain.Bundle {
	b := BundleOf(f.block, f.report.Tree, id, dest)
	if b == nil {
		return nil
	}
	for i := range b.Segment.Entries {
		if t := f.txs[b.Segment.Entries[i].ID]; t != nil {
			b.Txs = append(b.Txs, *t)
		}
	}
	return b
}

// audit checks what must hold after every block: in each shard the value less
// what other shards brought is the genesis', and over all shards it is the
// supply.
func (w *world) audit() {
	w.Helper()
	var total Net
	perExpiry := map[uint64]Net{}
	open := w.waiting
	for x, n := range w.moved {
		perExpiry[x] = n
		total = total.Plus(n)
	}
	for _, l := range w.shards {
		if err := l.state.Audit(); err != nil {
			w.Fatal(err)
		}
		sp := l.state.Supply()
		total.Add(sp.Value)
		for _, b := range sp.Between {
			perExpiry[b.Expiry] = perExpiry[b.Expiry].Plus(b.Net)
		}
		open += sp.Open
	}
	var between Net
	for _, n := range perExpiry {
		between = between.Plus(n)
		if open == 0 && !n.IsZero() {
			w.Fatalf("nothing is open and %v is between the shards", n)
		}
	}
	total.Sub(w.supply)
	if total != between {
		w.Fatalf("value less supply is %v, between the shards is %v", total, between)
	}
}

// expect wants the outcome of id in a shard; 0 is none.
func (l *ledger) expect(id chain.TxID, want chain.Outcome) {
	l.w.Helper()
	if st, _ := l.state.Status(id); st.Outcome != want {
		l.w.Fatalf("shard %d recorded %v for %s, want %v", l.id, st.Outcome, id.Short(), want)
	}
}

// balance is what the owner has in coins.
func (l *ledger) balance(o *wallet) (sum uint64) {
	list, _ := l.state.Coins().Owned(o.addr, nil, 1000)
	for _, e := range list {
		sum += e.Amount
	}
	return sum
}

func (l *ledger) expectBalance(o *wallet, want uint64) {
	l.w.Helper()
	if got := l.balance(o); got != want {
		l.w.Fatalf("the owner has %d in shard %d, want %d", got, l.id, want)
	}
}

// expectSkip wants the only transaction of a block to be skipped for a reason.
func (f *final) expectSkip(t *testing.T, want Skip) {
	t.Helper()
	if len(f.report.Skipped) != 1 || f.report.Skipped[0].Reason != want || len(f.report.Outcomes) != 0 {
		t.Fatalf("skipped %v, recorded %v, want it skipped as %v", f.report.Skipped, f.report.Outcomes, want)
	}
}
