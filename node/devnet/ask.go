package devnet

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"ios/chain"
	"ios/chain/cosi"
	"ios/node/api"
	"ios/node/config"
	"ios/node/epochs"
)

// target is a validator to ask.
type target struct {
	Validator
	url string // of its API
	cfg error  // its configuration cannot be read
}

// ask makes one round: first of who is known, and again if they know of newer
// epochs.
func (n *Network) ask(ctx context.Context) (*Status, error) {
	n.asking.Lock()
	defer n.asking.Unlock()
	if n.book == nil {
		book, err := epochs.NewBook(n.Genesis, cosi.BLS{})
		if err != nil {
			return nil, err
		}
		n.book = book
	}
	var all []*target
	for range 2 {
		all = n.targets()
		var wg sync.WaitGroup
		for _, t := range all {
			wg.Go(func() { n.askValidator(ctx, t) })
		}
		wg.Wait()
		if !n.catchUp(ctx, all) {
			break
		}
	}
	return n.arrange(all), nil
}

// targets are the validators of the current epoch, and those of the folder that run
// all the same: they have left, or wait until they are members.
func (n *Network) targets() (list []*target) {
	now := n.book.Current()
	seen := make(map[config.Home]bool)
	add := func(id chain.ValidatorID, v *chain.Validator, home config.Home, always bool) {
		pid := PID(home)
		if seen[home] || !always && pid == 0 {
			return
		}
		seen[home] = true
		t := &target{Validator: Validator{ID: id, Name: v.Name, PID: pid, State: StateSilent}, url: v.API}
		switch cfg, err := home.Load(); {
		case err == nil:
			t.url = "http://" + cfg.API
			if pid == 0 {
				t.State = StateDead
				t.Reason = "no process runs; start it with: ios node start --dir " + string(home)
				if int(id) < len(n.Homes) {
					t.Reason = "no process runs; start it with: ios devnet up --detach --dir " + n.Dir
				}
			}
		case v.API == "":
			t.cfg = err
		}
		list = append(list, t)
	}
	for i := range now.Members {
		m := &now.Members[i]
		add(m.ID, &m.Validator, n.home(m.ID, m.Name), true)
	}
	for i := range now.Outgoing {
		m := &now.Outgoing[i]
		add(m.ID, &m.Validator, n.home(m.ID, m.Name), true)
	}
	for i, home := range n.Homes {
		add(chain.ValidatorID(i), &n.Genesis.Validators[i], home, false)
	}
	for _, home := range n.Joined() {
		if cfg, err := home.Load(); err == nil {
			add(chain.MaxPlaces, &chain.Validator{Name: cfg.Name}, home, false)
		}
	}
	slices.SortStableFunc(list, func(a, b *target) int { return int(a.ID) - int(b.ID) })
	return list
}

// askValidator asks a validator how it is, in each of its shards.
func (n *Network) askValidator(ctx context.Context, t *target) {
	if t.cfg != nil {
		t.Reason = t.cfg.Error()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	client := api.NewClient(t.url, api.ClientConfig{Attempts: 1})
	defer client.Close()
	answer, err := client.Status(ctx)
	switch {
	case err != nil && t.State == StateDead:
		return
	case err != nil && t.ID == chain.MaxPlaces:
		t.State, t.Reason = StateWaiting, "it serves clients when it is a member; register it with: ios node join"
		return
	case err != nil:
		t.Reason = fmt.Sprintf("its API does not answer (%v); look into its log", err)
		return
	case answer.ChainID != n.Genesis.ID():
		t.Reason = fmt.Sprintf("at %s answers a validator of chain %s", t.url, answer.ChainID.Short())
		return
	}
	if t.ID == chain.MaxPlaces {
		t.ID = answer.Validator
	}
	t.State, t.Height, t.Reason, t.answer = answer.Phase, answer.Height, reason(answer), answer
	t.shards = map[chain.ShardID]*api.Status{answer.Shard: answer}
	for _, m := range answer.Memberships {
		if m.Shard == answer.Shard {
			continue
		}
		if other, err := client.At(m.Shard).Status(ctx); err == nil {
			t.shards[m.Shard] = other
		}
	}
}

// catchUp fetches the records of epochs that somebody knows of and we do not. It
// reports whether there were any.
func (n *Network) catchUp(ctx context.Context, all []*target) bool {
	before := n.book.Number()
	for _, t := range all {
		if t.answer == nil || t.answer.Coming == nil || t.answer.Coming.Epoch <= n.book.Number() {
			continue
		}
		ctx, cancel := context.WithTimeout(ctx, askPatience)
		client := api.NewClient(t.url, api.ClientConfig{Attempts: 3})
		// Another one may do better. What nobody tells is shown as of before.
		_ = client.Epochs(ctx, n.book.Number()+1, func(r *epochs.Record) error {
			_, err := n.book.Add(r)
			return err
		})
		client.Close()
		cancel()
	}
	return n.book.Number() > before
}

// arrange puts the answers together.
func (n *Network) arrange(all []*target) *Status {
	s := &Status{ChainID: n.Genesis.ID(), Shards: make([]Shard, n.Genesis.Shards)}
	now := n.book.Current()
	for _, t := range all {
		s.hear(t)
	}
	for i := range s.Shards {
		sh := &s.Shards[i]
		sh.Shard = chain.ShardID(i)
		plan := now.Shards[i].Plan
		sh.Epoch, sh.Stalled = plan, plan < now.Number
		for _, t := range all {
			sh.hear(t)
		}
		members, err := n.book.Committee(sh.Shard, chain.Term{Epoch: sh.Epoch, Batch: sh.Batch})
		if err != nil { // of an epoch that is not known here
			members = &chain.Committee{}
		}
		sh.Members = len(members.Members)
		if sh.Members > 0 {
			sh.Quorum = cosi.Quorum(sh.Members)
		}
		for _, id := range members.Members {
			if at := slices.IndexFunc(all, func(t *target) bool { return t.ID == id }); at >= 0 {
				sh.list(all[at], true)
			}
		}
		for _, t := range all {
			if t.shards[sh.Shard] != nil && !slices.Contains(members.Members, t.ID) {
				sh.list(t, false)
			}
		}
	}
	for _, t := range all {
		listed := func(sh Shard) bool {
			return slices.ContainsFunc(sh.Validators, func(v Validator) bool { return v.Name == t.Name })
		}
		if !slices.ContainsFunc(s.Shards, listed) {
			s.Outside = append(s.Outside, t.Validator)
		}
	}
	if n.Genesis.Policy.EpochLength > 0 {
		s.Epoch = n.epoch(all, s.Shards)
	}
	return s
}

// hear takes what a validator tells of the registry into account.
func (s *Status) hear(t *target) {
	if t.answer == nil || t.answer.Registry == nil {
		return
	}
	if f := t.answer.Registry; s.registry == nil || f.Height > s.registry.Height {
		s.registry = f
	}
}

// list adds a validator, as it is in this shard.
func (sh *Shard) list(t *target, seat bool) {
	v := t.Validator
	v.Seat = seat
	if st := t.shards[sh.Shard]; st != nil {
		v.State, v.Height, v.Reason = st.Phase, st.Height, reason(st)
	} else if t.answer != nil {
		v.State, v.Height, v.Reason = api.PhaseFollowing, 0, "it does not take part in the shard yet"
	}
	sh.Validators = append(sh.Validators, v)
}

// hear takes a validator's answer into account. One that still reads its disk
// tells a height and has not counted anything yet.
func (sh *Shard) hear(t *target) {
	st := t.shards[sh.Shard]
	if st == nil || st.Phase == api.PhaseStarting || st.Phase == api.PhaseReplaying || sh.supply != nil && st.Height <= sh.Height {
		return
	}
	sh.Epoch, sh.Height, sh.supply = st.Epoch, st.Height, &st.Supply
	for i := range st.Memberships {
		if m := &st.Memberships[i]; m.Shard == sh.Shard {
			sh.Batch, sh.Batches, sh.Absent = m.Batch, m.Batches, m.Absent
			if m.Epoch != 0 {
				sh.Epoch = m.Epoch
			}
		}
	}
}
