package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"time"

	"github.com/sirupsen/logrus"
	"github.com/spf13/cobra"

	"ios/chain"
	"ios/node"
	"ios/node/api"
	"ios/node/config"
)

func newNode() *cobra.Command {
	cmd := group("node", "Run one validator", newNodeInit(), newNodeStart(), newNodeStatus(), newNodeJoin(), newNodeLeave(), newNodeRotate(), newNodeResume())
	var dir string
	cmd.PersistentFlags().StringVar(&dir, "dir", "", "the validator's home directory")
	cmd.PersistentFlags().StringVar(&dir, "home", "", "the same as --dir")
	return cmd
}

// homeOf is the home that --dir or --home names, as an absolute path.
func homeOf(cmd *cobra.Command) (config.Home, error) {
	dir := dirOf(cmd)
	if dir == "" {
		return "", usagef("--dir is wanted: the validator's home directory")
	}
	return config.At(dir)
}

func newNodeInit() *cobra.Command {
	var n config.Node
	var address, url string
	cmd := &cobra.Command{
		Use:   "init",
		Short: "Make a validator's home: keys, configuration, and the public file for the genesis",
		Long: `Make a validator's home. It writes node.toml, which may be edited, keys.toml,
which nobody else must see, and validator.toml, which goes to whoever makes the
genesis file with "ios genesis make".`,
		Example: "  ios node init --dir v0 --name v0 --listen 0.0.0.0:7000 --address v0.example.org:7000",
		Args:    noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			v, err := config.Init(home, &n, address, url)
			if err != nil {
				return flagged(err)
			}
			result := struct {
				Dir       string `json:"dir"`
				Name      string `json:"name"`
				Address   string `json:"address"`
				API       string `json:"api"`
				Validator string `json:"validator_file"`
				Genesis   string `json:"genesis_file"`
			}{string(home), v.Name, v.Address, v.API, home.ValidatorFile(), home.GenesisFile(&n)}
			return show(cmd, result, func(w io.Writer) {
				fmt.Fprintf(w, "validator %s lives in %s\n  others reach it at  %s\n  clients reach it at %s\n  for the genesis     %s\n"+
					"next: put the genesis file at %s, then: ios node start --dir %s\n",
					v.Name, home, v.Address, v.API, result.Validator, result.Genesis, home)
			})
		},
	}
	f := cmd.Flags()
	f.StringVar(&n.Name, "name", "", "name of the validator")
	f.StringVar(&n.Listen, "listen", "127.0.0.1:7600", "host:port for the other validators")
	f.StringVar(&n.API, "api", api.DefaultListen, "host:port for clients; keep it on loopback unless it is meant to be public")
	f.StringVar(&address, "address", "", "host:port that the genesis tells the others (default: --listen)")
	f.StringVar(&url, "api-url", "", "base URL that the genesis tells clients (default: http:// and --api)")
	f.StringVar(&n.Genesis, "genesis", "genesis.toml", "genesis file; relative to the home")
	f.StringVar(&n.LogLevel, "log-level", "info", "error, warn, info or debug")
	cmd.MarkFlagRequired("name")
	return cmd
}

func newNodeStart() *cobra.Command {
	var profile string
	cmd := &cobra.Command{
		Use:   "start",
		Short: "Run the validator until it is interrupted",
		Long: `Run the validator until it is interrupted. One that neither the genesis nor the
registry has follows the network's epochs until it is registered and a member; see
"ios node join".`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			cfg, err := home.Load()
			if err != nil {
				return err
			}
			keys, err := home.LoadKeyring()
			if err != nil {
				return err
			}
			genesis, err := config.LoadGenesis(home.GenesisFile(cfg))
			if err != nil {
				return err
			}
			if os.Getenv("GOGC") == "" {
				// Most of a validator's memory is coins, in which the collector
				// finds nothing to follow: collecting often costs little.
				debug.SetGCPercent(50)
			}
			log := newLogger(cfg.LogLevel)
			setup := node.Config{
				Genesis: genesis, Node: cfg, Keys: keys, DataDir: home.DataDir(), Log: log, Version: version(),
				Idle: func() { go debug.FreeOSMemory() },
			}
			if err := node.Await(cmd.Context(), setup, func(text string) { log.Info("waiting: " + text) }); err != nil {
				if cmd.Context().Err() != nil {
					return nil
				}
				return &fault{err}
			}
			n, err := node.Open(setup)
			if err != nil {
				return &fault{err}
			}
			if profile != "" {
				stop, err := serveProfiles(profile)
				if err != nil {
					return err
				}
				defer stop()
			}
			if err := n.Run(cmd.Context()); err != nil {
				return &fault{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&profile, "profile", "", "host:port to serve Go's profiles at (/debug/pprof); keep it on loopback")
	return cmd
}

// newLogger writes lines of key=value to standard error.
func newLogger(level string) *logrus.Logger {
	log := logrus.New()
	log.SetOutput(os.Stderr)
	log.SetFormatter(&logrus.TextFormatter{DisableColors: true, FullTimestamp: true, TimestampFormat: "2006-01-02T15:04:05.000Z07:00"})
	if l, err := logrus.ParseLevel(level); err == nil { // config.Node.Check has seen it
		log.SetLevel(l)
	}
	return log
}

// version is what the build knows of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 && v == "(devel)" {
			v = s.Value[:12]
		}
	}
	return v
}

// statusPatience is how long a validator may take to tell how it is.
const statusPatience = 10 * time.Second

func newNodeStatus() *cobra.Command {
	return &cobra.Command{
		Use:   "status",
		Short: "Ask a running validator how it is",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			home, err := homeOf(cmd)
			if err != nil {
				return err
			}
			cfg, err := home.Load()
			if err != nil {
				return err
			}
			client := api.NewClient("http://"+cfg.API, api.ClientConfig{Attempts: 2})
			defer client.Close()
			ctx, cancel := context.WithTimeout(cmd.Context(), statusPatience)
			defer cancel()
			st, err := client.Status(ctx)
			if ctx.Err() != nil && cmd.Context().Err() == nil {
				return fmt.Errorf("validator %s does not answer within %v; look into its log, and see whether the machine is busy", cfg.Name, statusPatience)
			}
			if err != nil {
				return fmt.Errorf("asking validator %s: %w; if it does not run, start it with: ios node start --dir %s", cfg.Name, err, home)
			}
			return show(cmd, st, func(w io.Writer) { writeNodeStatus(w, st) })
		},
	}
}

func writeNodeStatus(w io.Writer, st *api.Status) {
	place := fmt.Sprintf("of shard %d", st.Shard)
	if st.Shard == chain.IdentityShard {
		place = "in no shard"
	}
	fmt.Fprintf(w, "%s (validator %d %s, pid %d) is %s", st.Name, st.Validator, place, st.PID, st.Phase)
	if st.Phase == api.PhaseReplaying {
		fmt.Fprintf(w, " (%.0f %%)", st.Percent)
	}
	fmt.Fprintln(w)
	for _, line := range []struct{ what, text string }{{"reason", st.Reason}, {"waits for", st.WaitsFor}, {"next", st.NextAction}} {
		if line.text != "" {
			fmt.Fprintf(w, "  %-10s %s\n", line.what, line.text)
		}
	}
	fmt.Fprintf(w, "  %-10s %s, network %s\n", "chain", st.ChainID, st.Network)
	fmt.Fprintf(w, "  %-10s %d, view %d, leader validator %d, epoch %d\n", "height", st.Height, st.View, st.Leader, st.Epoch)
	writeEpoch(w, st)
	fmt.Fprintf(w, "  %-10s %d transactions, %d bytes\n", "waiting", st.Mempool.Txs, st.Mempool.Bytes)
	fmt.Fprintf(w, "  %-10s value %d, between shards %d, open %d, coins %d\n", "supply", st.Supply.Value, st.Supply.Between, st.Supply.Open, st.Supply.Coins)
	fmt.Fprintf(w, "  %-10s %.1f s CPU, %d MB memory, %d MB disk\n", "uses", st.Resources.CPUSeconds, st.Resources.RSS>>20, st.Resources.Disk>>20)
	for _, p := range st.Peers {
		state := "connected"
		if !p.Connected {
			state = "NOT connected: " + p.Error
		}
		fmt.Fprintf(w, "  %-10s %s of shard %d, %s\n", "peer", p.Name, p.Shard, state)
	}
}
