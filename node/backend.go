package node

import (
	"context"
	"errors"

	"ios/atomix"
	"ios/chain"
	"ios/chain/store"
	"ios/node/api"
)

// carry hands another shard's bundle to the machine once it is checked.
func (m *member) carry(ctx context.Context, b *chain.Bundle) error {
	if err := m.notReady(); err != nil {
		return err
	}
	var err error
	checked := make(chan error, 1)
	if err := m.node.check.put(m.bundleJob(b, clients, func(err error) { checked <- err }), true); err != nil {
		return err
	}
	select {
	case err = <-checked:
	case <-m.done:
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	case <-ctx.Done():
		return ctx.Err()
	}
	if err != nil {
		return err
	}
	m.post(atomix.CarryIn{Bundle: b})
	return nil
}

// kinds gives an error of the store the kind that clients know.
func kinds(err error) error {
	switch {
	case errors.Is(err, store.ErrDropped):
		return chain.Rule(api.ErrPruned, "%v", err)
	case errors.Is(err, store.ErrNotFound):
		return chain.Rule(api.ErrNotFound, "%v", err)
	case errors.Is(err, store.ErrClosed):
		return chain.Rule(api.ErrStopping, "the validator is shutting down")
	}
	return err
}

// at checks that a height is final here.
func (m *member) at(height uint64) error {
	if !m.view.serving() {
		return chain.Rule(chain.ErrNotReady, "the validator is %s; see its status", m.view.phase())
	}
	switch tip := m.disk.tip.Load(); {
	case height == 0:
		return chain.Rule(api.ErrNotFound, "blocks begin at height 1")
	case height > tip:
		return chain.Rule(api.ErrNotYet, "the last final block here is %d", tip)
	}
	return nil
}

// Block implements api.Shard.
func (m *member) Block(_ context.Context, height uint64) ([]byte, error) {
	if err := m.at(height); err != nil {
		return nil, err
	}
	_, raw, err := m.disk.block(height)
	return raw, kinds(err)
}

// BlockEvent implements api.Shard.
func (m *member) BlockEvent(_ context.Context, height uint64) (*api.BlockEvent, error) {
	if err := m.at(height); err != nil {
		return nil, err
	}
	b, _, err := m.disk.block(height)
	if err != nil {
		return nil, kinds(err)
	}
	o, err := m.outcomes(height)
	if err != nil {
		return nil, kinds(err)
	}
	ev := &api.BlockEvent{Height: height, Hash: b.Header.Hash(), Time: unixTime(o.Time), Epoch: b.Header.Epoch, View: b.Cert.View}
	for _, e := range atomix.OutcomesOf(o.Tree) {
		ev.Outcomes = ev.Outcomes.Append(e.ID, byte(e.Outcome))
	}
	for _, s := range o.Skipped {
		ev.Skipped = ev.Skipped.Append(s.ID, byte(s.Reason))
	}
	return ev, nil
}
