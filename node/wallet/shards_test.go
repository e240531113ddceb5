package wallet

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/sirupsen/logrus"

	"ios/atomix"
	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/cosi/cositest"
	"ios/chain/sig"
	"ios/eds"
	"ios/node/api"
	"ios/node/epochs"
)

// perShard is the validators of a shard.
const perShard = 4

// shards is a network whose blocks are executed and certified at once. There is
// an API server for each validator, and no relay: what has to be carried
// between shards the client carries.
type shards struct {
	testing.TB
	genesis *chain.Genesis
	params  *chain.Params
	scheme  *cositest.Scheme
	ledgers []*ledger
	servers [][]*api.Server
	remote  *Remote
}

// ledger is one shard.
type ledger struct {
	net       *shards
	id        chain.ShardID
	committee *cosi.Committee
	secrets   []cosi.Secret

	mu      sync.Mutex
	state   *atomix.State
	blocks  []*chain.Block // from height 1
	reports []*atomix.Report
	txs     map[chain.TxID][]byte
	skipped map[chain.TxID]string
	calls   map[string]int
	lie     func(api.Outcome) api.Outcome
	list    func(*api.CoinsPage) // changes what is listed
	refuse  error                // every submission
}

// start makes a network of two shards with the allocations.
func start(t testing.TB, allocations []chain.Output) *shards {
	t.Helper()
	n := &shards{TB: t, scheme: cositest.New("wallet")}
	g := &chain.Genesis{Name: "test", TestNetwork: true, Shards: 2, Seed: chain.Hash{3}, Policy: chain.DefaultPolicy(), Allocations: allocations}
	g.Policy.MinFee = 1
	for i := range 2 * perShard {
		key, err := n.scheme.Public(cositest.Secret(i))
		if err != nil {
			t.Fatal(err)
		}
		g.Validators = append(g.Validators, chain.Validator{Name: fmt.Sprint("v", i), Cosi: key})
	}
	n.genesis, n.params = g, g.Params()
	urls := make(map[chain.ValidatorID]string)
	for s, members := range eds.Assign(g.Seed, len(g.Validators), g.Shards) {
		l := n.ledger(chain.ShardID(s), members)
		var servers []*api.Server
		for _, v := range members {
			srv, err := api.NewServer(api.Config{Listen: "127.0.0.1:0", Backend: &backend{ledger: l, self: v}, Prefix: g.Prefix(), Log: silent()})
			if err != nil {
				t.Fatal(err)
			}
			servers = append(servers, srv)
			urls[v] = srv.URL()
			t.Cleanup(func() { stop(srv) })
		}
		n.ledgers, n.servers = append(n.ledgers, l), append(n.servers, servers)
	}
	n.remote = n.remoteOf(urls)
	return n
}

func (n *shards) remoteOf(urls map[chain.ValidatorID]string) *Remote {
	n.Helper()
	r, err := newRemote(n.genesis, urls, n.scheme)
	if err != nil {
		n.Fatal(err)
	}
	r.timing = timing{10 * time.Millisecond, 50 * time.Millisecond, time.Second}
	n.Cleanup(r.Close)
	return r
}

func silent() *logrus.Logger {
	log := logrus.New()
	log.SetOutput(io.Discard)
	return log
}

func stop(s *api.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	s.Close(ctx)
}

func (n *shards) ledger(id chain.ShardID, members []chain.ValidatorID) *ledger {
	l := &ledger{
		net: n, id: id, state: atomix.NewState(n.params, id, [16]byte{byte(id)}),
		txs: make(map[chain.TxID][]byte), skipped: make(map[chain.TxID]string), calls: make(map[string]int),
	}
	if err := l.state.Genesis(n.genesis.Allocations); err != nil {
		n.Fatal(err)
	}
	var keys []cosi.PublicKey
	for _, v := range members {
		l.secrets, keys = append(l.secrets, cositest.Secret(int(v))), append(keys, n.genesis.Validators[v].Cosi)
	}
	var err error
	if l.committee, err = n.scheme.NewCommittee(keys); err != nil {
		n.Fatal(err)
	}
	return l
}

// block executes a payload and makes it final. The caller holds the lock.
func (l *ledger) block(raw []byte) error {
	p := l.net.params
	pl, err := p.DecodePayload(raw)
	if err != nil {
		return err
	}
	if err := atomix.CheckPayload(p, pl, l.id, 0); err != nil {
		return err
	}
	for _, c := range atomix.Certificates(pl) {
		if err := c.Cert.Verify(l.net.ledgers[c.Header.Shard].committee, c.Header, c.Block); err != nil {
			return err
		}
	}
	for _, t := range atomix.Signatures(p, pl, l.id, nil) {
		for i := range t.Witnesses {
			key := sig.PublicKey(t.Witnesses[i].PublicKey)
			if !sig.Verify(&key, chain.SignedBytes(t.ID), &t.Witnesses[i].Signature) {
				return chain.Rule(chain.ErrSignature, "witness %d", i)
			}
		}
	}
	h := chain.Header{Chain: p.ChainID, Shard: l.id, Epoch: 1, Height: uint64(len(l.blocks) + 1), Bodies: sha256.Sum256(raw)}
	h.Outcomes = l.state.Execute(&h, []*chain.Body{{Content: pl}})
	b := &chain.Block{Header: h, Cert: l.certify(&h)}
	l.state.Finalize(b)
	report := l.state.Report()
	l.blocks, l.reports = append(l.blocks, b), append(l.reports, report)
	for i := range pl.Txs {
		l.txs[pl.Txs[i].ID] = pl.Txs[i].Raw
	}
	for _, b := range pl.Bundles {
		for i := range b.Txs {
			l.txs[b.Txs[i].ID] = b.Txs[i].Raw
		}
	}
	return nil
}

func (l *ledger) certify(h *chain.Header) chain.Certificate {
	msg := chain.VoteBytes(h, h.Hash(), 0, chain.Commit)
	c := cosi.NewCollector(l.committee, msg)
	for i := range 3 {
		s, err := l.net.scheme.Sign(l.secrets[i], msg)
		if err == nil {
			err = c.AddShare(i, s)
		}
		if err != nil {
			l.net.Error(err)
		}
	}
	cert, _, err := c.Certificate()
	if err != nil {
		l.net.Error(err)
	}
	return chain.Certificate{Phase: chain.Commit, Certificate: cert}
}

// find is the last block that recorded the transaction.
func (l *ledger) find(id chain.TxID) (*chain.Block, *atomix.Report, *chain.OutcomeProof) {
	for h := len(l.blocks) - 1; h >= 0; h-- {
		if p := atomix.ProofOf(l.blocks[h], l.reports[h].Tree, id); p != nil {
			return l.blocks[h], l.reports[h], p
		}
	}
	return nil, nil, nil
}

// submit makes a block of one transaction, as anybody may.
func (l *ledger) submit(t *chain.Tx) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refuse != nil {
		return l.refuse
	}
	if err := l.state.Validate(t, 0); err != nil {
		return err
	}
	return l.block(chain.PayloadOf([][]byte{t.Raw}, nil))
}

// value is what the owner has in the shard.
func (l *ledger) value(owner chain.Address) (v uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, _ := l.state.Coins().Owned(owner, nil, 1<<20)
	for _, e := range entries {
		v += e.Amount
	}
	return v
}

// backend is one validator of the shard. All of a shard know the same.
type backend struct {
	api.Registry // of what nothing here asks
	*ledger
	self chain.ValidatorID
}

func (b *backend) Submit(_ context.Context, raw []byte) (res api.SubmitResult, err error) {
	txs, err := b.net.params.DecodeTxs(raw, api.MaxSubmitTxs)
	if err != nil {
		return res, err
	}
	for i := range txs {
		var rule *chain.RuleError
		if err := b.submit(&txs[i]); errors.As(err, &rule) {
			res.Refused = append(res.Refused, api.Refusal{Index: i, Kind: rule.Kind, Text: rule.Text})
		} else if err != nil {
			return res, err
		} else {
			res.Accepted++
		}
	}
	return res, nil
}

func (b *backend) Carry(_ context.Context, raw []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.calls["carry"]++
	return b.block(chain.PayloadOf(nil, [][]byte{raw}))
}

func (b *backend) Coins(_ context.Context, owner chain.Address, after *chain.OutPoint, max int) (api.CoinsPage, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	entries, more := b.state.Coins().Owned(owner, after, max)
	page := api.CoinsPage{Height: uint64(len(b.blocks)), Done: !more}
	for _, e := range entries {
		page.Coins = append(page.Coins, api.Coin{OutPoint: e.OutPoint, Amount: e.Amount})
	}
	if b.list != nil {
		b.list(&page)
	}
	return page, nil
}

func (b *backend) Outcome(_ context.Context, id chain.TxID, _ bool) (out api.Outcome, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if block, _, proof := b.find(id); proof != nil {
		out = api.Outcome{State: api.StateOf(proof.Entry.Outcome), Height: block.Header.Height, Proof: proof.AppendTo(nil)}
	}
	if b.lie != nil {
		out = b.lie(out)
	}
	return out, nil
}

func (b *backend) Bundle(_ context.Context, id chain.TxID, dest chain.ShardID) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for h := len(b.blocks) - 1; h >= 0; h-- {
		bundle := atomix.BundleOf(b.blocks[h], b.reports[h].Tree, id, dest)
		if bundle == nil {
			continue
		}
		for _, e := range bundle.Segment.Entries {
			if raw, ok := b.txs[e.ID]; ok {
				t, err := b.net.params.DecodeTx(raw)
				if err != nil {
					return nil, err
				}
				bundle.Txs = append(bundle.Txs, *t)
			}
		}
		return bundle.AppendTo(nil), nil
	}
	return nil, chain.Rule(api.ErrNotFound, "nothing for shard %d", dest)
}

func (b *backend) Tx(_ context.Context, id chain.TxID) ([]byte, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if raw, ok := b.txs[id]; ok {
		return raw, nil
	}
	return nil, chain.Rule(api.ErrNotFound, "transaction %s", id.Short())
}

func (b *backend) Block(context.Context, uint64) ([]byte, error) {
	return nil, chain.Rule(api.ErrNotYet, "it keeps no blocks")
}

func (b *backend) BlockEvent(context.Context, uint64) (*api.BlockEvent, error) {
	return nil, chain.Rule(api.ErrNotYet, "it keeps no blocks")
}

func (b *backend) Status(context.Context) (*api.Status, error) {
	return &api.Status{ChainID: b.net.params.ChainID, Shard: b.id, Shards: 2, Validator: b.self, Name: b.net.genesis.Validators[b.self].Name, Phase: api.PhaseReady}, nil
}

func (b *backend) Ready() []string { return nil }

func (b *backend) Shard(*chain.ShardID) (api.Shard, error) { return b, nil }

func (b *backend) ID() chain.ShardID { return b.ledger.id }

func (b *backend) Epoch(context.Context, uint64) (*epochs.Record, error) {
	return nil, chain.Rule(api.ErrNotYet, "there is one epoch")
}
