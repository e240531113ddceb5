package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node/api"
	"ios/node/devnet"
	"ios/node/faucet"
	"ios/node/wallet"
)

func newDemo() *cobra.Command {
	return &cobra.Command{
		Use:   "demo",
		Short: "Show a whole life: two shards, transfers, a validator lost and back, an abort with refund, three epochs",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := os.MkdirTemp("", "ios-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			d := &demo{out: cmd.OutOrStdout(), dir: dir, start: time.Now()}
			defer d.end()
			return d.run(cmd.Context())
		},
	}
}

// demo plays a scenario on real processes. Each step checks what it shows.
type demo struct {
	out    io.Writer
	dir    string
	start  time.Time
	step   int
	net    *devnet.Network
	remote *wallet.Remote
	faucet *faucet.Faucet
}

func (d *demo) title(format string, args ...any) {
	d.step++
	fmt.Fprintf(d.out, "\n%d. %s\n", d.step, fmt.Sprintf(format, args...))
}

func (d *demo) say(format string, args ...any) {
	fmt.Fprintf(d.out, "   %6.2f s  %s\n", time.Since(d.start).Seconds(), fmt.Sprintf(format, args...))
}

// end ends every process, however far the scenario came.
func (d *demo) end() {
	if d.remote != nil {
		d.remote.Close()
	}
	if d.net == nil {
		return
	}
	d.title("Everything is ended")
	pids, err := d.net.Stop()
	if err != nil {
		d.say("%v", err)
		return
	}
	d.say("%d validators ended, %s removed; the whole took %.1f s", len(pids), d.dir, time.Since(d.start).Seconds())
}

func (d *demo) run(ctx context.Context) error {
	if err := d.up(ctx); err != nil {
		return err
	}
	alice, bob, err := d.wallets(ctx)
	if err != nil {
		return err
	}
	for _, act := range []func(context.Context, *wallet.Wallet, *wallet.Wallet) error{d.transfers, d.lose, d.abort} {
		if err := act(ctx, alice, bob); err != nil {
			return err
		}
	}
	if err := d.supply(ctx); err != nil {
		return err
	}
	if err := d.down(); err != nil {
		return err
	}
	return d.epochs(ctx)
}

// down ends the network's processes.
func (d *demo) down() error {
	d.remote.Close()
	d.remote = nil
	_, err := d.net.Stop()
	d.net = nil
	return err
}

func (d *demo) up(ctx context.Context) (err error) {
	d.title("A network of 8 validators in 2 shards, one process each")
	d.net, err = devnet.Create(filepath.Join(d.dir, "net"), devnet.Options{Name: "demo", Shards: 2, Validators: 8, Policy: chain.DefaultPolicy(), LogLevel: "info"})
	if err != nil {
		return err
	}
	if err := d.start8(ctx); err != nil {
		return err
	}
	if d.remote, err = wallet.NewRemote(d.net.Genesis, nil); err != nil {
		return err
	}
	keys, err := d.net.Faucet()
	d.faucet = &faucet.Faucet{Keys: keys, Network: d.remote.Net, Params: d.remote.Params}
	return err
}

// start8 starts the validators that do not run.
func (d *demo) start8(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	begin := time.Now()
	members, err := d.net.Up(ctx, program, func(word string) { d.say("%s", word) })
	if err != nil {
		return err
	}
	started := 0
	for _, m := range members {
		if m.Started {
			started++
		}
	}
	d.say("%d started, all %d ready after %.1f s; chain %s", started, len(members), time.Since(begin).Seconds(), d.net.Genesis.ID().Short())
	return nil
}

// demoWork keeps the wallets' files cheap: they live for a minute.
const demoWork = 10

func (d *demo) newWallet(name, words string) (*wallet.Wallet, error) {
	return wallet.Create(filepath.Join(d.dir, name), "demo", words, wallet.NetworkOf(d.net.Genesis), wallet.Options{WorkFactor: demoWork})
}

func (d *demo) text(k *wallet.Key) string { return k.Address.Text(d.remote.Params.Prefix) }

// wallets makes Alice, who lives in shard 0, and Bob, who lives in shard 1.
func (d *demo) wallets(ctx context.Context) (alice, bob *wallet.Wallet, err error) {
	d.title("Two wallets, funded by the faucet")
	for i, w := range []struct {
		name string
		to   **wallet.Wallet
	}{{"alice", &alice}, {"bob", &bob}} {
		if *w.to, err = d.newWallet(w.name, ""); err != nil {
			return nil, nil, err
		}
		k, err := (*w.to).NewAddress(i)
		if err != nil {
			return nil, nil, err
		}
		if err := d.fund(ctx, w.name, k.Address, 10_000); err != nil {
			return nil, nil, err
		}
	}
	return alice, bob, nil
}

func (d *demo) fund(ctx context.Context, name string, to chain.Address, amount uint64) error {
	t, err := d.faucet.Pay(ctx, to, amount)
	if err != nil {
		return err
	}
	res, err := d.remote.Track(ctx, t, wallet.Hear{})
	if err != nil {
		return err
	}
	shard := to.Shard(d.remote.Params.Shards)
	if err := committedAll(res); err != nil {
		return err
	}
	d.say("%s has %d in shard %d: %s at height %d", name, amount, shard, res.Verdict, res.Shards[shard].Height)
	return nil
}

func committedAll(res wallet.Result) error {
	if res.Verdict != wallet.VerdictCommitted {
		return fmt.Errorf("the demonstration went wrong: transfer %v was %s: %s", res.ID, res.Verdict, res.Reason)
	}
	return nil
}

// send sends and follows a transfer.
func (d *demo) send(ctx context.Context, from *wallet.Wallet, to string, amount uint64) error {
	begin := time.Now()
	res, err := from.Send(ctx, d.remote, to, amount, 0, wallet.Hear{Progress: func(p wallet.Progress) {
		if p.Outcome != 0 {
			d.say("  shard %d: %s at height %d", p.Shard, p.Outcome, p.Height)
		}
	}})
	if err != nil {
		return err
	}
	if err := committedAll(res); err != nil {
		return err
	}
	d.say("%d sent: %s after %.0f ms, id %s", amount, res.Verdict, 1000*time.Since(begin).Seconds(), res.ID.Short())
	return nil
}

func (d *demo) transfers(ctx context.Context, alice, bob *wallet.Wallet) error {
	d.title("A transfer within shard 0, then one from shard 0 to shard 1")
	second, err := alice.NewAddress(0)
	if err != nil {
		return err
	}
	if err := d.send(ctx, alice, d.text(second), 1000); err != nil {
		return err
	}
	return d.send(ctx, alice, d.text(bob.Keys()[0]), 2000)
}

// lose kills a validator, goes on without it, and takes it back.
func (d *demo) lose(ctx context.Context, alice, bob *wallet.Wallet) error {
	victim := d.net.Members()[0][0]
	home := d.net.Homes[victim]
	pid := devnet.PID(home)
	if pid == 0 {
		return fmt.Errorf("validator %d does not run", victim)
	}
	d.title("A validator of shard 0, the leader, is killed; transfers go on; it comes back")
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return err
	}
	d.say("v%d, pid %d, killed with signal 9", victim, pid)
	if err := d.send(ctx, alice, d.text(alice.Keys()[0]), 500); err != nil {
		return err
	}
	if err := d.send(ctx, bob, d.text(alice.Keys()[0]), 700); err != nil {
		return err
	}
	s, err := d.net.Status(ctx)
	if err != nil {
		return err
	}
	d.say("%s", s.Line())
	if err := d.start8(ctx); err != nil {
		return err
	}
	for deadline := time.Now().Add(time.Minute); ; {
		if s, err = d.net.Status(ctx); err != nil {
			return err
		}
		v, height := find(s, victim)
		if v.State == api.PhaseReady && v.Height == height {
			d.say("v%d is back at height %d of %d", victim, v.Height, height)
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("v%d did not catch up: it is %s at height %d of %d", victim, v.State, v.Height, height)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// find is a validator's status and the height of its shard.
func find(s *devnet.Status, id chain.ValidatorID) (devnet.Validator, uint64) {
	for _, sh := range s.Shards {
		for _, v := range sh.Validators {
			if v.ID == id {
				return v, sh.Height
			}
		}
	}
	return devnet.Validator{}, 0
}

// abort makes a transfer of two inputs, one in each shard, of which the second
// is spent by a copy of the wallet before the transfer arrives.
func (d *demo) abort(ctx context.Context, _, bob *wallet.Wallet) error {
	d.title("An abort with refund: an input is spent meanwhile")
	carol, err := d.newWallet("carol", "")
	if err != nil {
		return err
	}
	for shard := range 2 {
		k, err := carol.NewAddress(shard)
		if err != nil {
			return err
		}
		if err := d.fund(ctx, "carol", k.Address, 600); err != nil {
			return err
		}
	}
	copied, err := d.newWallet("carol-elsewhere", carol.Words())
	if err != nil {
		return err
	}
	if _, err := copied.Recover(ctx, d.remote); err != nil {
		return err
	}
	to := d.text(bob.Keys()[0])
	p, err := carol.Prepare(ctx, d.remote, to, 1000, 0)
	if err != nil {
		return err
	}
	if len(p.Tx.Inputs) != 2 {
		return fmt.Errorf("the transfer has %d inputs, 2 were expected", len(p.Tx.Inputs))
	}
	d.say("carol signs a transfer of 1000 to bob: 600 from shard 0 and 600 from shard 1")
	d.say("her words on another machine spend the 600 of shard 1 first:")
	if err := d.send(ctx, copied, to, 600); err != nil {
		return err
	}
	d.say("the transfer of 1000 reaches shard 0, which knows nothing of that and locks its input:")
	if err := d.submit(ctx, 0, p.Tx); err != nil {
		return err
	}
	res, err := carol.Track(ctx, d.remote, p.Tx.ID, wallet.Hear{Progress: func(p wallet.Progress) {
		if p.Outcome != 0 {
			d.say("  shard %d: %s at height %d", p.Shard, p.Outcome, p.Height)
		}
	}})
	if err != nil {
		return err
	}
	d.say("%s: %s", res.Verdict, res.Reason)
	if res.Verdict != wallet.VerdictAborted {
		return fmt.Errorf("the demonstration went wrong: the transfer was %s, not aborted", res.Verdict)
	}
	b, err := carol.Balance(ctx, d.remote)
	if err != nil {
		return err
	}
	d.say("what was locked is back: carol has %d", b.Known)
	if b.Total == nil || *b.Total != 600 {
		return fmt.Errorf("the demonstration went wrong: carol has %d, not 600", b.Known)
	}
	return nil
}

// submit hands a transaction to one shard only.
func (d *demo) submit(ctx context.Context, shard chain.ShardID, t *chain.Tx) error {
	return d.remote.Net.Try(ctx, shard, func(ctx context.Context, e api.Endpoint) error {
		res, err := e.Submit(ctx, t.Raw)
		if err == nil && len(res.Refused) > 0 {
			err = res.Refused[0].Err()
		}
		return err
	})
}

func (d *demo) supply(ctx context.Context) error {
	d.title("The supply, counted over all shards")
	s, err := d.net.Status(ctx)
	if err != nil {
		return err
	}
	d.say("genesis %d, accounted %d", s.Supply.Genesis, s.Supply.Accounted)
	d.say("%s", s.Line())
	if !s.Supply.OK {
		return fmt.Errorf("the supply does not agree: %s", s.Supply.Reason)
	}
	return nil
}
