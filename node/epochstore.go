package node

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"ios/chain"
	"ios/node/config"
	"ios/node/epochs"
)

// epochStore has the records on disk: a file for each epoch behind the first, which
// follows from the genesis.
type epochStore struct{ dir string }

// openEpochStore makes the directory if need be.
func openEpochStore(dir string) (*epochStore, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making the directory of epoch records: %w", err)
	}
	return &epochStore{dir}, nil
}

func (s *epochStore) path(number uint64) string {
	return filepath.Join(s.dir, strconv.FormatUint(number, 10))
}

// put makes a record durable.
func (s *epochStore) put(r *epochs.Record) error {
	return config.WriteFile(s.path(r.Number), r.AppendTo(nil), 0o600)
}

// get reads the record of an epoch. ErrNotReady is the kind of one that is not
// there.
func (s *epochStore) get(number uint64) (*epochs.Record, error) {
	st, err := os.Stat(s.path(number))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, chain.Rule(chain.ErrNotReady, "epoch %d is not known yet", number)
	case err != nil:
		return nil, err
	case st.Size() > epochs.MaxRecordBytes:
		return nil, fmt.Errorf("%s has %d bytes, which no epoch record has; put another validator's file in its place, it proves itself", s.path(number), st.Size())
	}
	raw, err := os.ReadFile(s.path(number))
	if err != nil {
		return nil, err
	}
	r, err := epochs.DecodeRecord(raw)
	if err == nil && r.Number != number {
		err = fmt.Errorf("it is of epoch %d", r.Number)
	}
	if err != nil {
		return nil, fmt.Errorf("the record of epoch %d in %s: %w; put another validator's file in its place, it proves itself", number, s.path(number), err)
	}
	return r, nil
}

// load adds all records behind the book's epoch to it.
func (s *epochStore) load(b *epochs.Book) error {
	for {
		next := b.Number() + 1
		r, err := s.get(next)
		if errors.Is(err, chain.ErrNotReady) {
			return nil
		}
		if err == nil {
			_, err = b.Add(r)
		}
		if err != nil {
			return fmt.Errorf("going from epoch %d to epoch %d, by the record in %s: %w; put another validator's file in its place, it proves itself", next-1, next, s.path(next), err)
		}
	}
}
