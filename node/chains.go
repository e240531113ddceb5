package node

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"ios/chain"
)

// Each chain has a directory of its own in the data directory. That of a shard
// that we left has a mark, which says from when on it may be deleted: until then
// others may ask for what is in it, by way of the operator, or we come back.
const (
	shardDir    = "shard-"
	identityDir = "identity"
	leftMark    = "LEFT"
	// doomedSuffix is what the directory is renamed with before it is deleted, so
	// that half of it is never taken for a chain.
	doomedSuffix = ".deleted"
)

// chainDir is where a chain's data is.
func (n *Node) chainDir(id chain.ShardID) string {
	if id == chain.IdentityShard {
		return filepath.Join(n.cfg.DataDir, identityDir)
	}
	return filepath.Join(n.cfg.DataDir, shardDir+strconv.Itoa(int(id)))
}

// found is what the data directory says of shards.
type found struct {
	present []chain.ShardID
	left    map[chain.ShardID]time.Time
	doomed  []string // what was being deleted
}

func (n *Node) look() (f found, err error) {
	f.left = make(map[chain.ShardID]time.Time)
	entries, err := os.ReadDir(n.cfg.DataDir)
	if err != nil {
		return f, fmt.Errorf("looking for chains: %w", err)
	}
	for _, e := range entries {
		if strings.HasSuffix(e.Name(), doomedSuffix) {
			f.doomed = append(f.doomed, filepath.Join(n.cfg.DataDir, e.Name()))
		}
		number, ok := strings.CutPrefix(e.Name(), shardDir)
		id, err := strconv.ParseUint(number, 10, 16)
		if !ok || err != nil || !e.IsDir() || int(id) >= n.net.params.Shards || number != strconv.FormatUint(id, 10) {
			continue
		}
		shard := chain.ShardID(id)
		text, err := os.ReadFile(filepath.Join(n.cfg.DataDir, e.Name(), leftMark))
		if errors.Is(err, os.ErrNotExist) {
			f.present = append(f.present, shard)
			continue
		} else if err != nil {
			return f, err
		}
		due, err := time.Parse(time.RFC3339, strings.TrimSpace(string(text)))
		if err != nil {
			return f, fmt.Errorf("%s does not say when the chain's data may go: %w; delete that directory, or only the file to take part in the shard again",
				filepath.Join(n.cfg.DataDir, e.Name(), leftMark), err)
		}
		f.left[shard] = due
	}
	slices.Sort(f.present)
	return f, nil
}

// enroll takes up the shards that ran here last, or that of the genesis.
func (n *Node) enroll() error {
	f, err := n.look()
	if err != nil {
		return err
	}
	if len(f.present) == 0 && len(f.left) == 0 {
		f.present = n.net.shardsOf(n.net.self)
	}
	if n.net.ends() {
		n.add(&newAssembly(n).runner)
	}
	for _, shard := range f.present {
		n.add(&newMember(n, shard, n.chainDir(shard)).runner)
	}
	return nil
}

// begin lets the chains that were recovered run, and whatever else goes on
// beside them.
func (n *Node) begin(first []*runner) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	n.up = true
	for _, r := range first {
		n.launch(r)
	}
	if n.cfg.Idle != nil {
		n.work.Go(n.rest)
	}
	if n.net.ends() {
		n.work.Go(n.move)
		n.work.Go(n.askEpochs)
	}
	f, err := n.look()
	for shard, due := range f.left {
		n.work.Go(func() { n.forget(shard, due) })
	}
	for _, dir := range f.doomed {
		n.work.Go(func() { n.delete(dir) })
	}
	return err
}

// launch runs a chain until the node stops or the chain is left.
func (n *Node) launch(r *runner) {
	ctx, cancel := context.WithCancel(n.quit)
	r.leave, r.gone = cancel, make(chan struct{})
	n.work.Go(func() {
		defer close(r.gone)
		defer cancel()
		if err := r.run(ctx); err != nil {
			n.failed(err)
			n.fail(err)
		}
	})
}

// Join takes part in a shard from now on. It returns when what is on disk of the
// shard has been recovered.
func (n *Node) Join(ctx context.Context, shard chain.ShardID) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	switch {
	case !n.up || n.quit.Err() != nil:
		return errStopping
	case int(shard) >= n.net.params.Shards:
		return chain.Rule(chain.ErrWrongShard, "there is no shard %d", shard)
	case n.runner(shard) != nil:
		return chain.Rule(chain.ErrWrongShard, "shard %d runs here already", shard)
	}
	dir := n.chainDir(shard)
	if err := os.Remove(filepath.Join(dir, leftMark)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(n.quit, cancel)()
	m := newMember(n, shard, dir)
	n.add(&m.runner)
	if err := m.start(ctx); err != nil {
		n.remove(&m.runner)
		m.stats.forget()
		return errors.Join(fmt.Errorf("joining shard %d: %w", shard, err), m.close())
	}
	n.launch(&m.runner)
	return nil
}

// Leave takes part in a shard no longer. Its data is deleted after a while, also
// if the node is stopped and started in between.
func (n *Node) Leave(shard chain.ShardID, keep time.Duration) error {
	n.changes.Lock()
	defer n.changes.Unlock()
	m := n.member(shard)
	switch {
	case !n.up || n.quit.Err() != nil:
		return errStopping
	case m == nil:
		return chain.Rule(chain.ErrWrongShard, "shard %d does not run here", shard)
	}
	due := time.Now().Add(keep).Truncate(time.Second)
	if err := writeMark(m.dir, due); err != nil {
		return fmt.Errorf("leaving shard %d: %w", shard, err)
	}
	n.remove(&m.runner)
	m.leave()
	<-m.gone
	m.stats.forget()
	n.server.Forget(shard)
	n.work.Go(func() { n.forget(shard, due) })
	return nil
}

// writeMark marks a directory as one of a shard that was left.
func writeMark(dir string, due time.Time) error {
	f, err := os.CreateTemp(dir, leftMark+".*")
	if err != nil {
		return err
	}
	_, err = f.WriteString(due.UTC().Format(time.RFC3339) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), filepath.Join(dir, leftMark))
	}
	if err != nil {
		os.Remove(f.Name())
	}
	return err
}

// forget deletes the data of a shard when it is due, if we do not come back
// before.
func (n *Node) forget(shard chain.ShardID, due time.Time) {
	wait := time.NewTimer(time.Until(due))
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-n.quit.Done():
		return
	}
	n.changes.Lock()
	defer n.changes.Unlock()
	f, err := n.look()
	if at, left := f.left[shard]; err == nil && (!left || at.After(due)) {
		return // we came back meanwhile
	}
	dir := n.chainDir(shard)
	doomed := fmt.Sprint(dir, ".", due.Unix(), doomedSuffix)
	if err == nil {
		err = os.Rename(dir, doomed)
	}
	if err != nil {
		n.log.Errorf("deleting the data of shard %d, which was left: %v", shard, err)
		return
	}
	n.delete(doomed)
	n.log.Infof("deleted the data of shard %d, which was left", shard)
}

func (n *Node) delete(dir string) {
	if err := os.RemoveAll(dir); err != nil {
		n.log.Errorf("deleting %s: %v", dir, err)
	}
}
