package devnet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"ios/chain"
	"ios/chain/store"
	"ios/eds"
	"ios/node/api"
	"ios/node/config"
)

// TestMain lets the test's own program stand in for a validator's.
func TestMain(m *testing.M) {
	if len(os.Args) == 5 && os.Args[1] == "node" && os.Args[2] == "start" {
		if err := standIn(config.Home(os.Args[4])); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// standIn is a process that looks like a validator from outside: it holds the
// data directory and answers on the API. It ends at once where a file "broken"
// lies in its home, ignores polite signals where "stubborn" does, and takes part in no
// shard where "seatless" does.
func standIn(home config.Home) error {
	if _, err := os.Stat(filepath.Join(string(home), "broken")); err == nil {
		return errors.New("it is broken")
	}
	cfg, err := home.Load()
	if err != nil {
		return err
	}
	genesis, err := config.LoadGenesis(home.GenesisFile(cfg))
	if err != nil {
		return err
	}
	lock, err := store.AcquireLock(home.DataDir(), time.Now())
	if err != nil {
		return err
	}
	defer lock.Release()
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGTERM)
	server, err := api.NewServer(api.Config{Listen: cfg.API, Backend: &fakeBackend{genesis: genesis, name: cfg.Name, home: home}})
	if err != nil {
		return err
	}
	for range stop {
		if _, err := os.Stat(filepath.Join(string(home), "stubborn")); err != nil {
			break
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return server.Close(ctx)
}

// fakeBackend answers the two questions that matter here.
type fakeBackend struct {
	api.Backend
	genesis *chain.Genesis
	name    string
	home    config.Home
}

func (f *fakeBackend) Ready() []string {
	if _, err := os.Stat(filepath.Join(string(f.home), "seatless")); err == nil {
		return []string{api.NoShard}
	}
	return nil
}

func (f *fakeBackend) Status(context.Context) (*api.Status, error) {
	return &api.Status{ChainID: f.genesis.ID(), Shard: chain.IdentityShard, Validator: 9, Epoch: 1, Phase: api.PhaseFollowing, PID: os.Getpid()}, nil
}

func (f *fakeBackend) Shard(*chain.ShardID) (api.Shard, error) {
	for s, members := range eds.Assign(f.genesis.Seed, len(f.genesis.Validators), f.genesis.Shards) {
		for _, id := range members {
			if f.genesis.Validators[id].Name == f.name {
				return fakeShard{genesis: f.genesis, shard: chain.ShardID(s)}, nil
			}
		}
	}
	return nil, chain.Rule(chain.ErrWrongShard, "it has no shard")
}

// fakeShard is its only shard.
type fakeShard struct {
	api.Shard
	genesis *chain.Genesis
	shard   chain.ShardID
}

func (f fakeShard) Status(context.Context) (*api.Status, error) {
	return &api.Status{
		ChainID: f.genesis.ID(), Shard: f.shard, Epoch: 1, Phase: api.PhaseReady, Height: 7, PID: os.Getpid(),
		Supply: api.Supply{Value: f.genesis.Supply() / uint64(f.genesis.Shards)},
	}, nil
}

func create(t *testing.T, shards, validators int) *Network {
	t.Helper()
	n, err := Create(filepath.Join(t.TempDir(), "net"), Options{Name: "test", Shards: shards, Validators: validators, Policy: chain.DefaultPolicy(), LogLevel: "info"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := n.Stop(); err != nil {
			t.Error(err)
		}
	})
	return n
}

func upAll(t *testing.T, n *Network) []Member {
	t.Helper()
	members, err := n.Up(t.Context(), os.Args[0], func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	return members
}

func TestANetworkComesUpLosesAMemberAndGoesDown(t *testing.T) {
	n := create(t, 2, 4)
	first := upAll(t, n)
	for _, m := range first {
		if !m.Started || m.PID == 0 {
			t.Fatalf("%+v was not started", m)
		}
	}
	s, err := n.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Shards) != 2 || !s.Supply.OK || s.Supply.Accounted != n.Genesis.Supply() || s.ChainID != n.Genesis.ID() {
		t.Fatalf("%+v", s)
	}

	const victim = 2
	if err := syscall.Kill(first[victim].PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if !waitFor(5*time.Second, func() bool { return PID(n.Homes[victim]) == 0 }) {
		t.Fatal("a killed process counts as running")
	}
	if s, err = n.Status(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, sh := range s.Shards {
		for _, v := range sh.Validators {
			want := api.PhaseReady
			if v.ID == victim {
				want = StateDead
			}
			if v.State != want || v.State != api.PhaseReady && v.Reason == "" {
				t.Errorf("validator %d is %q (%s), not %q", v.ID, v.State, v.Reason, want)
			}
		}
	}

	for i, m := range upAll(t, n) {
		if m.Started != (i == victim) || !m.Started && m.PID != first[i].PID {
			t.Errorf("the second start did %+v, the first %+v", m, first[i])
		}
	}
	pids, err := n.Stop()
	if err != nil || len(pids) != 4 {
		t.Fatalf("ended %v, %v", pids, err)
	}
	if pids, err = n.Stop(); err != nil || len(pids) != 0 {
		t.Fatalf("ended %v again, %v", pids, err)
	}
}

// Who joined later and who left belong to the network as long as they live in its
// folder, whoever started them.
func TestThoseThatJoinedOrLeftBelongToTheNetwork(t *testing.T) {
	n := create(t, 1, 2)
	home, err := n.Add("late", "info")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(string(n.Homes[1]), "seatless"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if members := upAll(t, n); len(members) != 2 || !members[0].Ready || members[1].Ready {
		t.Fatalf("%+v: v1 has left, and the other one has not begun", members)
	}
	late := exec.Command(os.Args[0], "node", "start", "--dir", "late") // relative
	late.Dir = n.Dir
	if err := late.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() { ended <- late.Wait() }()
	if !waitFor(5*time.Second, func() bool { return PID(home) == late.Process.Pid }) {
		t.Fatal("its process is not found")
	}
	outside := func() (v Validator) {
		s, err := n.Status(t.Context())
		if err != nil || len(s.Outside) > 1 {
			t.Fatal(err, s.Outside)
		}
		if len(s.Outside) == 1 {
			v = s.Outside[0]
		}
		return v
	}
	if !waitFor(5*time.Second, func() bool { return outside().State == api.PhaseFollowing }) {
		t.Fatalf("%+v", outside())
	}
	if v := outside(); v.Name != "late" || v.PID != late.Process.Pid || v.ID != 9 {
		t.Errorf("%+v", v)
	}
	if pids, err := n.Stop(); err != nil || len(pids) != 3 {
		t.Fatalf("ended %v, %v", pids, err)
	}
	<-ended
	if v := outside(); v.Name != "" {
		t.Errorf("%+v does not run", v)
	}
	members := upAll(t, n)
	if len(members) != 3 || members[2].Name != "late" || !members[2].Started || members[2].Ready {
		t.Errorf("%+v", members)
	}
}

func TestAMemberThatDoesNotEndIsKilled(t *testing.T) {
	n := create(t, 1, 1)
	if err := os.WriteFile(filepath.Join(string(n.Homes[0]), "stubborn"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	upAll(t, n)
	if pids, err := stop(n.Homes, 100*time.Millisecond); err != nil || len(pids) != 1 || PID(n.Homes[0]) != 0 {
		t.Fatalf("ended %v, %v", pids, err)
	}
}

func TestAMemberThatEndsAtStartIsShownWithItsLog(t *testing.T) {
	n := create(t, 1, 2)
	if err := os.WriteFile(filepath.Join(string(n.Homes[1]), "broken"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := n.Up(t.Context(), os.Args[0], func(string) {})
	if err == nil || !strings.Contains(err.Error(), "v1") || !strings.Contains(err.Error(), "it is broken") {
		t.Fatalf("%v", err)
	}
	// The other one, which may just have begun, is not left behind.
	if pid := PID(n.Homes[0]); pid != 0 {
		t.Errorf("v0 still runs, pid %d", pid)
	}
}

func TestANumberAloneIsNeverSignalled(t *testing.T) {
	n := create(t, 1, 1)
	// The lock of a validator that was killed names a pid that is now another's.
	if err := os.Mkdir(n.Homes[0].DataDir(), 0o700); err != nil {
		t.Fatal(err)
	}
	lock := fmt.Sprintf("pid %d since 2026-01-01T00:00:00Z\n", os.Getpid())
	if err := os.WriteFile(filepath.Join(n.Homes[0].DataDir(), "LOCK"), []byte(lock), 0o600); err != nil {
		t.Fatal(err)
	}
	if pid := PID(n.Homes[0]); pid != 0 {
		t.Fatalf("this test is taken for a validator, pid %d", pid)
	}
	if pids, err := n.Stop(); err != nil || len(pids) != 0 {
		t.Fatalf("ended %v, %v", pids, err)
	}
}

// TestWhatCannotBeMadeLeavesNothing: the same folder can be tried again.
func TestWhatCannotBeMadeLeavesNothing(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "net")
	good := Options{Name: "test", Shards: 2, Validators: 4, Policy: chain.DefaultPolicy(), LogLevel: "info"}
	for name, spoil := range map[string]func(*Options){
		"three shards":        func(o *Options) { o.Shards = 3 },
		"less than no shards": func(o *Options) { o.Shards = -2 },
		"an empty shard":      func(o *Options) { o.Validators = 1 },
		"too many":            func(o *Options) { o.Validators = MaxValidators + 1 },
		"less than nobody":    func(o *Options) { o.Validators = -4 },
		"the policy":          func(o *Options) { o.Policy.EpochLength = 1 },
		"the log level":       func(o *Options) { o.LogLevel = "loud" },
	} {
		o := good
		spoil(&o)
		if _, err := Create(dir, o); err == nil {
			t.Fatalf("%s: a network was made", name)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Fatalf("%s: %s is left", name, left[0].Name())
		}
	}
}

func TestCreateMakesNothingTwice(t *testing.T) {
	n := create(t, 2, 4)
	o := Options{Name: "test", Shards: 2, Validators: 4, Policy: chain.DefaultPolicy(), LogLevel: "info"}
	if _, err := Create(n.Dir, o); !errors.Is(err, fs.ErrExist) {
		t.Fatalf("a network was made over another: %v", err)
	}
	back, err := Open(n.Dir)
	if err != nil || back.Genesis.ID() != n.Genesis.ID() || len(back.Homes) != 4 {
		t.Fatalf("%v: %+v", err, back)
	}
	seen := make(map[string]bool)
	for i := range n.Genesis.Validators {
		v := &n.Genesis.Validators[i]
		for _, a := range []string{v.Address, strings.TrimPrefix(v.API, "http://")} {
			host, _, err := net.SplitHostPort(a)
			if err != nil || host != "127.0.0.1" || seen[a] {
				t.Errorf("%s: not an address of its own on loopback", a)
			}
			seen[a] = true
		}
	}
	if info, err := os.Stat(n.faucetFile()); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the faucet's key: %v, %v", info.Mode(), err)
	}
	keys, err := back.Faucet()
	if err != nil {
		t.Fatal(err)
	}
	var sum uint64
	for s, k := range keys {
		public := k.Public()
		owner := chain.AddressOf((*[32]byte)(&public))
		if int(owner.Shard(2)) != s {
			t.Errorf("the faucet of shard %d lives in shard %d", s, owner.Shard(2))
		}
		for _, a := range n.Genesis.Allocations {
			if a.Owner == owner {
				sum += a.Amount
			}
		}
	}
	if sum != n.Genesis.Supply() {
		t.Errorf("the faucet owns %d of %d", sum, n.Genesis.Supply())
	}
	half := t.TempDir()
	if err := os.WriteFile(filepath.Join(half, "v0"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(half, o); err == nil {
		t.Error("a network was made in a folder with other things")
	}
	if _, err := Open(t.TempDir()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an empty folder: %v", err)
	}
}
