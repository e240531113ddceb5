package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"ios/chain"
	"ios/chain/cosi"
	"ios/chain/store"
	"ios/eds"
	"ios/node/api"
	"ios/node/config"
	"ios/node/epochs"
	"ios/transepoch/identity"
)

// Await returns when the validator of the configuration takes part in the
// network: at once if the genesis has it with keys that are here, else when a record
// of an epoch does.
// Until then it fetches the records from the validators that there are, and
// stores those that are proven. Say gets a sentence when something changes.
func Await(ctx context.Context, cfg Config, say func(string)) error {
	g := cfg.Genesis
	known := slices.IndexFunc(g.Validators, func(v chain.Validator) bool { return v.Name == cfg.Node.Name })
	switch {
	case known >= 0 && cfg.Keys.Owns(&g.Validators[known]) == nil:
		return nil
	case g.Policy.EpochLength > 0:
	case known >= 0:
		return cfg.Keys.Owns(&g.Validators[known])
	default:
		return fmt.Errorf("the genesis of %s has no validator named %q, and its one epoch never ends, so that nobody can join; check the name in node.toml", g.Name, cfg.Node.Name)
	}
	lock, err := store.AcquireLock(cfg.DataDir, time.Now())
	if err != nil {
		return err
	}
	err = await(ctx, &cfg, say)
	return errors.Join(err, lock.Release())
}

func await(ctx context.Context, cfg *Config, say func(string)) error {
	book, err := epochs.NewBook(cfg.Genesis, cosi.BLS{})
	if err != nil {
		return err
	}
	records, err := openEpochStore(subdir(cfg.DataDir, epochsDir))
	if err != nil {
		return err
	}
	if err := records.load(book); err != nil {
		return err
	}
	poll := max(200*time.Millisecond, min(cfg.Genesis.Policy.EpochLength/20, 10*time.Second))
	for said := ""; ; {
		if err := cfg.Keys.Reload(); err != nil { // they may be replaced meanwhile
			return err
		}
		if _, ok := ownSeat(book, cfg.Keys); ok {
			return nil
		}
		text := fmt.Sprintf("no member of epoch %d has its keys; register it with: ios node join, or, if it was left out for its absence, bring it back with: ios node resume", book.Number())
		add := func(r *epochs.Record) error {
			if _, err := book.Add(r); err != nil {
				return err
			}
			return records.put(r)
		}
		if err := fetchEpochs(ctx, cfg.Genesis, book, eds.Nobody, add); err != nil {
			text = fmt.Sprintf("nobody tells of epochs after %d: %v", book.Number(), err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if text != said {
			say(text)
			said = text
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(poll):
		}
	}
}

// ownSeat is the place in the registry of the validator with the keys.
func ownSeat(book *epochs.Book, keys *config.Keyring) (chain.ValidatorID, bool) {
	e := book.Current()
	for _, list := range [][]identity.Member{e.Members, e.Outgoing} {
		for i := range list {
			if keys.Owns(&list[i].Validator) == nil {
				return list[i].ID, true
			}
		}
	}
	return 0, false
}

// enoughAnswers is how many validators are asked that know of no newer epoch.
const enoughAnswers = 3

// fetchEpochs gives the records behind the book's epoch to add, of the first validator
// but self that has any. It fails if nobody answers.
func fetchEpochs(ctx context.Context, g *chain.Genesis, book *epochs.Book, self chain.ValidatorID, add func(*epochs.Record) error) (err error) {
	var urls []string
	now := book.Current()
	for i := range now.Members {
		if now.Members[i].ID != self {
			urls = append(urls, now.Members[i].API)
		}
	}
	for i := range g.Validators {
		if chain.ValidatorID(i) != self {
			urls = append(urls, g.Validators[i].API)
		}
	}
	before, answers := book.Number(), 0
	err = errors.New("no validator has an API")
	for i, url := range urls {
		if url == "" || slices.Contains(urls[:i], url) {
			continue
		}
		client := api.NewClient(url, api.ClientConfig{Attempts: 1})
		failed := client.Epochs(ctx, book.Number()+1, add)
		client.Close()
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case failed != nil && answers == 0:
			err = failed
		case failed == nil:
			answers, err = answers+1, nil
		}
		if failed == nil && book.Number() > before || answers == enoughAnswers {
			return nil
		}
	}
	return err
}

// askEpochs asks others for newer epochs than those on disk, at the start and while a
// chain is not in step. Of those who were members of its last epoch nobody may be left
// whom this validator could ask for blocks, and who was left out meanwhile is let in
// by nobody.
func (n *Node) askEpochs() {
	ask := time.NewTicker(max(time.Second, min(n.net.genesis.Policy.EpochLength/4, 30*time.Second)))
	defer ask.Stop()
	for said := ""; ; {
		err := fetchEpochs(n.quit, n.net.genesis, n.net.book, n.net.self, n.NewEpoch)
		if n.quit.Err() != nil {
			return
		}
		if err != nil {
			if text := fmt.Sprintf("nobody tells of epochs after %d: %v", n.net.book.Number(), err); text != said {
				n.log.Info(text)
				said = text
			}
		}
		for asked := false; !asked; {
			select {
			case <-n.quit.Done():
				return
			case <-ask.C:
				asked = slices.ContainsFunc(n.runners(), func(r *runner) bool { return r.view.phase() == api.PhaseSyncing })
			}
		}
	}
}
