package wallet

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"ios/chain"
)

// Prepared is a signed transfer that the journal holds and nobody else has
// seen yet.
type Prepared struct {
	Tx     *chain.Tx
	To     chain.Address
	Amount uint64
	Fee    uint64
	Change uint64
	Shards []chain.ShardID // that it involves
}

// Prepare builds and signs a transfer of amount to the address and writes it to
// the journal. A fee of zero stands for the network's least. Nothing is sent:
// Track does that.
func (w *Wallet) Prepare(ctx context.Context, r *Remote, to string, amount, fee uint64) (*Prepared, error) {
	if err := w.on(r); err != nil {
		return nil, err
	}
	address, err := chain.ParseAddress(w.network.Prefix, to)
	if err != nil {
		return nil, err
	}
	return w.choosing(ctx, r, &Payment{To: address, Amount: amount, Fee: fee})
}

// PrepareStake is Prepare for a payment into the registry, where it becomes credit
// of the address. It comes from one shard.
func (w *Wallet) PrepareStake(ctx context.Context, r *Remote, to chain.Address, amount, fee uint64) (*Prepared, error) {
	if err := w.on(r); err != nil {
		return nil, err
	}
	switch p := &r.Genesis.Policy; {
	case p.EpochLength == 0:
		return nil, chain.Rule(chain.ErrStake, "on this network epochs do not end, so that nobody joins and there is no registry to pay into")
	case amount < p.MinStake:
		return nil, chain.Rule(chain.ErrAmount, "%d is less than a stake: the registry takes %d or more", amount, p.MinStake)
	}
	return w.choosing(ctx, r, &Payment{To: to, Amount: amount, Fee: fee, Stake: true})
}

// choosing prepares a payment from coins that no other transfer has chosen.
func (w *Wallet) choosing(ctx context.Context, r *Remote, p *Payment) (*Prepared, error) {
	if p.Fee == 0 {
		p.Fee = r.Params.MinFee
	}
	for attempt := 1; ; attempt++ {
		made, err := w.prepare(ctx, r, p)
		if !errors.Is(err, errTaken) || attempt == prepareAttempts {
			return made, err
		}
	}
}

// errTaken is that another transfer has chosen a coin first.
var errTaken = errors.New("other transfers take the wallet's coins all the time; send one after the other")

// prepareAttempts is how often coins are chosen anew.
const prepareAttempts = 16

// prepare is one attempt.
func (w *Wallet) prepare(ctx context.Context, r *Remote, p *Payment) (*Prepared, error) {
	total, err := p.total(r.Params)
	if err != nil {
		return nil, err
	}
	sel, err := w.choose(ctx, r, p, total, 0)
	if errors.Is(err, ErrInsufficient) {
		// Coins of a transfer that was given up are free again.
		if ended, locked, serr := w.settle(ctx, r); serr == nil && (ended > 0 || locked > 0) {
			sel, err = w.choose(ctx, r, p, total, locked)
		}
	}
	if err != nil {
		return nil, err
	}
	shards := sel.shards(p, w.network.Shards)
	epoch, err := r.Epoch(ctx, shards)
	if err != nil {
		return nil, err
	}
	tx, err := build(r.Params, p, sel, epoch+chain.ExpiryAhead, w.key)
	if err != nil {
		return nil, err
	}
	if err := r.Params.CheckTx(tx, epoch); err != nil {
		return nil, fmt.Errorf("the transaction that was built breaks a rule: %w", err)
	}
	entry := &line{Tx: tx.Raw, ID: tx.ID, Time: time.Now(), To: p.To.Text(w.network.Prefix), Amount: p.Amount, Fee: p.Fee, Stake: p.Stake}
	err = w.journal.appendIf(entry, func(sent []*Sent) error { return w.untaken(sel, sent) })
	if err != nil {
		return nil, err
	}
	return &Prepared{Tx: tx, To: p.To, Amount: p.Amount, Fee: p.Fee, Change: sel.Change, Shards: shards}, nil
}

// untaken checks that no transfer of the journal spends a coin of the selection.
func (w *Wallet) untaken(sel *Selection, sent []*Sent) error {
	spoken, err := w.spokenBy(sent)
	if err != nil {
		return err
	}
	for i := range sel.Coins {
		if spoken[sel.Coins[i].OutPoint] != 0 {
			return errTaken
		}
	}
	return nil
}

// shards are those that a payment from the selection involves.
func (s *Selection) shards(p *Payment, shards int) []chain.ShardID {
	var m chain.Shards
	if !p.Stake {
		m.Add(p.To.Shard(shards))
	}
	for i := range s.Coins {
		m.Add(s.Coins[i].Owner.Shard(shards))
	}
	return m.List()
}

// choose selects coins that no unfinished transfer spends. If they are not
// enough while a shard could not be asked, or such transfers have more, part of which
// is locked, that is said.
func (w *Wallet) choose(ctx context.Context, r *Remote, p *Payment, total, locked uint64) (*Selection, error) {
	spoken, err := w.spoken()
	if err != nil {
		return nil, err
	}
	var coins []Coin
	var unknown []string
	outgoing := locked
	for _, h := range w.holdings(ctx, r, spoken) {
		if h.err != nil {
			unknown = append(unknown, fmt.Sprintf("shard %d: %s", h.Shard, h.Reason))
		}
		for _, c := range h.coins {
			if spoken[c.OutPoint] != 0 {
				outgoing += c.Amount
			} else {
				coins = append(coins, c)
			}
		}
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sel, err := Select(coins, total, p.To.Shard(w.network.Shards), w.network.Shards, MaxInputs)
	if p.Stake {
		sel, err = SelectOne(coins, total, w.network.Shards, MaxInputs)
	}
	if err == nil {
		return &sel, nil
	}
	if len(unknown) > 0 && errors.Is(err, ErrInsufficient) {
		return nil, chain.Rule(ErrBalance, "what is known is not enough (%v), and a part of the balance is unknown: %s; try again when it can be asked", err, strings.Join(unknown, "; "))
	}
	if outgoing > 0 && errors.Is(err, ErrInsufficient) {
		return nil, chain.Rule(ErrInsufficient, "%s; %d more is in unfinished transfers: wait for them, or track them", text(err), outgoing)
	}
	return nil, err
}

func text(err error) string {
	var rule *chain.RuleError
	if errors.As(err, &rule) {
		return rule.Text
	}
	return err.Error()
}

// use is what the journal says of a coin.
type use uint8

const (
	promised use = 1 + iota // an unfinished transfer spends it
	spent                   // a committed one did
)

// spoken are the coins that the wallet's own transfers spend. A validator that
// is behind still lists those that are spent.
func (w *Wallet) spoken() (map[chain.OutPoint]use, error) {
	sent, err := w.journal.read()
	if err != nil {
		return nil, err
	}
	return w.spokenBy(sent)
}

func (w *Wallet) spokenBy(sent []*Sent) (map[chain.OutPoint]use, error) {
	params := chain.NewParams(w.network.Chain, w.network.Prefix, w.network.Shards, 0)
	spoken := make(map[chain.OutPoint]use)
	for _, s := range sent {
		how := promised
		switch s.Verdict {
		case VerdictOpen:
		case VerdictCommitted:
			how = spent
		default:
			continue // its coins are free again
		}
		t, err := params.DecodeTx(s.raw)
		if err != nil {
			return nil, chain.Rule(ErrDamaged, "transfer %s in the journal: %v", s.ID, err)
		}
		for i := range t.Inputs {
			if o := t.Inputs[i].OutPoint; spoken[o] != spent {
				spoken[o] = how
			}
		}
	}
	return spoken, nil
}

// Send prepares a transfer and brings it to its end. When it fails after the
// transfer was prepared, the result has the id by which Track goes on.
func (w *Wallet) Send(ctx context.Context, r *Remote, to string, amount, fee uint64, hear Hear) (Result, error) {
	p, err := w.Prepare(ctx, r, to, amount, fee)
	if err != nil {
		return Result{}, err
	}
	return w.finish(ctx, r, p.Tx, hear)
}

// Submit prepares a transfer and hands it to every shard that holds an input.
// It returns once each has accepted it: its end is left to the shards, or to
// Track.
func (w *Wallet) Submit(ctx context.Context, r *Remote, to string, amount, fee uint64) (*Prepared, error) {
	p, err := w.Prepare(ctx, r, to, amount, fee)
	if err != nil {
		return nil, err
	}
	return p, w.Hand(ctx, r, p)
}

// Hand hands a prepared transfer to every shard that holds an input, and returns
// once each has accepted it.
func (w *Wallet) Hand(ctx context.Context, r *Remote, p *Prepared) error {
	inputs := r.Params.InputShards(p.Tx)
	for _, s := range inputs.List() {
		if err := r.submit(ctx, s, p.Tx); err != nil {
			return fmt.Errorf("handing transfer %s to shard %d: %w; the journal has it", p.Tx.ID, s, err)
		}
	}
	return nil
}

// Track goes on with a transfer until it ends, from the journal or, if it was
// sent elsewhere, from whichever shard knows it.
func (w *Wallet) Track(ctx context.Context, r *Remote, id chain.TxID, hear Hear) (Result, error) {
	t, err := w.Find(ctx, r, id)
	if err != nil {
		return Result{ID: id}, err
	}
	return w.finish(ctx, r, t, hear)
}

// Find gets a transaction from the journal or from the network.
func (w *Wallet) Find(ctx context.Context, r *Remote, id chain.TxID) (*chain.Tx, error) {
	s, err := w.sent(id)
	if err != nil {
		return nil, err
	}
	if s != nil {
		return r.Params.DecodeTx(s.raw)
	}
	return r.FetchTx(ctx, id)
}

// sent finds a transfer in the journal; nil if it is not there.
func (w *Wallet) sent(id chain.TxID) (*Sent, error) {
	all, err := w.journal.read()
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.ID == id {
			return s, nil
		}
	}
	return nil, nil
}

// finish tracks a transaction and notes its end, if it is the wallet's own.
func (w *Wallet) finish(ctx context.Context, r *Remote, t *chain.Tx, hear Hear) (Result, error) {
	res, err := r.Track(ctx, t, hear)
	if err != nil {
		return res, err
	}
	s, err := w.sent(t.ID)
	if err != nil || s == nil || s.Verdict == res.Verdict {
		return res, err
	}
	return res, w.journal.append(&line{ID: t.ID, Time: time.Now(), Verdict: res.Verdict, Reason: res.Reason})
}

// History are the transfers that were sent from this directory, oldest first.
func (w *Wallet) History() ([]*Sent, error) { return w.journal.read() }
