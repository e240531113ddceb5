package docs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"ios/atomix"
	"ios/chain"
	"ios/chain/store"
	"ios/drp"
	"ios/eds"
	"ios/node/api"
	"ios/node/onetnet"
	"ios/node/validator"
	"ios/node/wallet"
	"ios/pob/byzcoin"
	"ios/transepoch/beacon"
	"ios/transepoch/identity"
)

var (
	aPath   = regexp.MustCompile(`\b(?:atomix|chain|cmd|docs|drp|eds|internal|node|pob|transepoch)(?:/[A-Za-z0-9_.-]+)+`)
	aMethod = regexp.MustCompile(`^([A-Z]\w+)\.([A-Z]\w+)$`)
	aFunc   = regexp.MustCompile(`^(sim)\.([A-Z]\w+)$`)
	aMake   = regexp.MustCompile(`\bmake ([a-z]+)\b`)
	aLink   = regexp.MustCompile(`\]\(([^)#:]*)(#[^)]*)?\)`)
	aTitle  = regexp.MustCompile(`(?m)^#+ (.*)$`)
)

// TestWhatIsNamedExists: packages, files, methods, targets of make, and links.
func TestWhatIsNamedExists(t *testing.T) {
	makefile, err := os.ReadFile(filepath.Join(root, "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	var code strings.Builder
	for _, text := range sources(t) {
		code.WriteString(text)
	}
	paths := 0
	for _, d := range documents(t) {
		for _, p := range aPath.FindAllString(d.text, -1) {
			p = strings.TrimRight(p, ".")
			paths++
			if _, err := os.Stat(filepath.Join(root, p)); err != nil {
				t.Errorf("%s: there is no %s", d.name, p)
			}
		}
		for _, s := range d.spans() {
			if m := aMethod.FindStringSubmatch(s); m != nil && !regexp.MustCompile(`func \((\w+ )?\*?`+m[1]+`\) `+m[2]+`\(`).MatchString(code.String()) {
				t.Errorf("%s: there is no method %s", d.name, s)
			}
			if m := aFunc.FindStringSubmatch(s); m != nil && !strings.Contains(code.String(), "func "+m[2]+"(") {
				t.Errorf("%s: there is no function %s", d.name, s)
			}
			if m := aMake.FindStringSubmatch(s); m != nil && !regexp.MustCompile(`(?m)^`+m[1]+`:`).Match(makefile) {
				t.Errorf("%s: there is no target %s", d.name, s)
			}
		}
		for _, m := range aLink.FindAllStringSubmatch(d.prose(), -1) {
			checkLink(t, &d, m[1], m[2])
		}
	}
	if paths < 50 {
		t.Errorf("only %d paths were found", paths)
	}
}

func checkLink(t *testing.T, d *document, file, anchor string) {
	target := filepath.Join(root, d.name)
	if file != "" {
		target = filepath.Join(root, filepath.Dir(d.name), file)
	}
	raw, err := os.ReadFile(target)
	if err != nil {
		t.Errorf("%s: a link to %s, which is not there", d.name, file)
		return
	}
	if anchor == "" {
		return
	}
	for _, m := range aTitle.FindAllStringSubmatch(string(raw), -1) {
		if "#"+strings.ReplaceAll(strings.ToLower(m[1]), " ", "-") == anchor {
			return
		}
	}
	t.Errorf("%s: a link to %s%s, which has no such title", d.name, file, anchor)
}

// private are places on somebody's machine, and marks of what is not done.
var private = regexp.MustCompile(`(^|[\s"'(=:])/(home|root|tmp|work|Users|var)/|(?i)\b(todo|fixme|tbd)\b`)

func TestNothingPrivateOrUnfinished(t *testing.T) {
	for _, d := range documents(t) {
		for i, line := range strings.Split(d.text, "\n") {
			if s := private.FindString(line); s != "" {
				t.Errorf("%s:%d: %q", d.name, i+1, s)
			}
		}
	}
}

// firsts are the first cells of the rows of all tables of a page that match.
func firsts(d document, cell *regexp.Regexp) (list []string) {
	for _, line := range strings.Split(d.prose(), "\n") {
		if m := cell.FindStringSubmatch(line); m != nil {
			list = append(list, m[1])
		}
	}
	return list
}

var limits = map[string]int{
	"chain.MaxShards": chain.MaxShards, "chain.MaxValidators": chain.MaxValidators, "chain.MaxPlaces": chain.MaxPlaces, "chain.MaxGenesisBytes": chain.MaxGenesisBytes,
	"chain.MaxTxBytes": chain.MaxTxBytes, "chain.MaxOutputData": chain.MaxOutputData, "chain.ExpiryAhead": chain.ExpiryAhead,
	"chain.MaxBodyBytes": chain.MaxBodyBytes, "chain.MaxTxsPerBody": chain.MaxTxsPerBody, "chain.MaxBundlesPerBody": chain.MaxBundlesPerBody,
	"chain.MaxRefs": chain.MaxRefs, "chain.MaxSegmentEntries": chain.MaxSegmentEntries, "chain.MaxSegmentBytes": chain.MaxSegmentBytes,
	"chain.MaxSegments": chain.MaxSegments, "byzcoin.MaxMembers": byzcoin.MaxMembers,
	"byzcoin.Policy.Window": agreement.Window, "byzcoin.Policy.MaxBlockBytes": agreement.MaxBlockBytes,
	"byzcoin.Policy.FetchBlocks": agreement.FetchBlocks, "byzcoin.Policy.FetchBytes": agreement.FetchBytes, "byzcoin.Policy.TreeAbove": agreement.TreeAbove,
	"drp.MaxServers": drp.MaxServers, "drp.OneGroup": drp.OneGroup, "drp.MaxChoice": drp.MaxChoice, "drp.MaxTranscript": drp.MaxTranscript,
	"drp.MaxSignOff": drp.MaxSignOff, "eds.Ranks": eds.Ranks, "identity.MaxOps": identity.MaxOps, "identity.MaxCarried": identity.MaxCarried, "identity.MaxEpochBytes": identity.MaxEpochBytes,
	"beacon.MaxProof": beacon.MaxProof, "chain.MaxTurnBytes": chain.MaxTurnBytes,
	"atomix.MaxQuery": atomix.MaxQuery, "onetnet.MaxFrame": onetnet.MaxFrame, "onetnet.MaxMessage": onetnet.MaxMessage,
	"store.MaxRecord": store.MaxRecord, "api.MaxSubmitBytes": api.MaxSubmitBytes, "api.MaxSubmitTxs": api.MaxSubmitTxs, "api.MaxCoinsPage": api.MaxCoinsPage,
	"validator.Limits.QueueTxs": pool.QueueTxs, "validator.Limits.QueueBytes": pool.QueueBytes, "validator.Limits.Bodies": pool.Bodies,
	"wallet.MaxInputs": wallet.MaxInputs, "wallet.MaxAddresses": wallet.MaxAddresses,
}

var (
	agreement = byzcoin.Policy{}.WithDefaults()
	pool      = validator.DefaultLimits()
)

func TestLimits(t *testing.T) {
	d := page(t, "docs/protocols.md")
	shown := make(map[string]int)
	for _, m := range regexp.MustCompile("(?m)^\\| `((?:\\w+\\.)+\\w+)` \\| (\\d+) \\|").FindAllStringSubmatch(d.text, -1) {
		shown[m[1]], _ = strconv.Atoi(m[2])
	}
	for name, value := range limits {
		if shown[name] != value {
			t.Errorf("%s is %d, the table has %d", name, value, shown[name])
		}
	}
	if len(shown) != len(limits) {
		t.Errorf("the table has %d limits, %d are known here", len(shown), len(limits))
	}
}

// TestTables compares what stands in tables with what stands in the sources.
func TestTables(t *testing.T) {
	protocols, operators := page(t, "docs/protocols.md"), page(t, "docs/operators.md")
	code := sources(t)
	for _, c := range []struct {
		what  string
		in    document
		cell  string // of a table's row
		found string // in the sources
		under string // whose files
		only  bool   // the table has nothing else
	}{
		{"tag", protocols, "^\\| `(ios/[a-z/-]+/v1)` \\|", `"(ios/[a-z/-]+/v1)"`, "", true},
		{"error kind", protocols, "^\\| `([a-z_]+)` \\|", `chain\.ErrorKind = "([a-z_]+)"`, "node/api/", false},
		{"error kind", protocols, "^\\| `([a-z_]+)` \\|", ` ErrorKind = "([a-z_]+)"`, "chain/errors.go", false},
		{"fault", protocols, "^\\| `([a-z_]+)` \\|", ` Fault = "([a-z_]+)"`, "pob/byzcoin/", false},
		{"call", protocols, "^\\| `([A-Z][a-z]+)` \\|", `LedgerService/?"?|/ios\.v1\.Ledger/([A-Z][a-z]+)"`, "node/api/ledgerpb/ledgerpbconnect/", true},
		{"state", operators, "^\\| `([a-z]+)` \\|", `(?:Phase[A-Z]\w+|State(?:Dead|Silent)) += "([a-z]+)"`, "node/", false},
	} {
		want := make(map[string]bool)
		for path, text := range code {
			if strings.HasPrefix(path, c.under) {
				for _, m := range regexp.MustCompile(c.found).FindAllStringSubmatch(text, -1) {
					want[m[1]] = true
				}
			}
		}
		shown := firsts(c.in, regexp.MustCompile(c.cell))
		if len(want) < 2 {
			t.Errorf("%s: %d in the sources", c.what, len(want))
		}
		for name := range want {
			if !slices.Contains(shown, name) {
				t.Errorf("%s %s is not in %s", c.what, name, c.in.name)
			}
		}
		for _, name := range shown {
			if c.only && !want[name] {
				t.Errorf("%s has a %s %s, which is not in the sources", c.in.name, c.what, name)
			}
		}
	}
}

// TestKindsAreKnown: a kind in a table must be one of some list in the sources.
func TestKindsAreKnown(t *testing.T) {
	known := regexp.MustCompile(`"([a-z_]+)"`)
	all := make(map[string]bool)
	for _, text := range sources(t) {
		for _, m := range known.FindAllStringSubmatch(text, -1) {
			all[m[1]] = true
		}
	}
	for _, name := range firsts(page(t, "docs/protocols.md"), regexp.MustCompile("^\\| (?:\\d+ \\| )?`([a-z]+_[a-z_]+)` \\|")) {
		if !all[name] {
			t.Errorf("%s is nowhere in the sources", name)
		}
	}
}

func TestNumberedNames(t *testing.T) {
	d := page(t, "docs/protocols.md")
	for o := chain.Accepted; o.Valid(); o++ {
		if row := fmt.Sprintf("\n| %d | %s |", o, o); !strings.Contains(d.text, row) {
			t.Errorf("no row %q", row)
		}
	}
	last := atomix.SkipStale
	for s := atomix.SkipMissing; s <= last; s++ {
		if row := fmt.Sprintf("\n| %d | `%s` |", s, s); !strings.Contains(d.text, row) {
			t.Errorf("no row %q", row)
		}
	}
	if (last + 1).Text() != "unknown reason" {
		t.Errorf("there is a reason %v above %v", last+1, last)
	}
	for kind, row := range map[uint8]string{
		byzcoin.RecordBody: "body that was acked", byzcoin.RecordPulled: "body that is held", byzcoin.RecordAck: "ack for",
		byzcoin.RecordVote: "proposal", byzcoin.RecordLock: "prepare certificate", byzcoin.RecordJoin: "view that was wished for",
		byzcoin.RecordView: "view that was installed", byzcoin.RecordFinal: "final block", validator.RecordOutcomes: "outcomes of",
	} {
		if row := fmt.Sprintf("\n| %d | %s", kind, row); !strings.Contains(d.text, row) {
			t.Errorf("no row %q", row)
		}
	}
}

// TestGenesisKeys: every key of the file is explained.
func TestGenesisKeys(t *testing.T) {
	d := page(t, "docs/protocols.md")
	keys := regexp.MustCompile(`toml:"([a-z_]+)"`).FindAllStringSubmatch(sources(t)["chain/genesis_toml.go"], -1)
	if len(keys) < 15 {
		t.Fatalf("%d keys", len(keys))
	}
	for _, m := range keys {
		if m[1] != "policy" && !strings.Contains(d.text, "`"+m[1]+"`") && !strings.Contains(d.text, "`policy."+m[1]+"`") {
			t.Errorf("%s does not explain %s", d.name, m[1])
		}
	}
}

// TestMetrics compares the metrics with those in the sources.
func TestMetrics(t *testing.T) {
	code := sources(t)
	want := make(map[string]bool)
	for _, m := range regexp.MustCompile(`"(ios_[a-z_]+)"`).FindAllStringSubmatch(code["node/metrics.go"], -1) {
		want[m[1]] = true
	}
	for _, m := range regexp.MustCompile(`(?:opts|counter|gauge)\("([a-z_]+)"|Name: "([a-z_]+)"`).FindAllStringSubmatch(code["node/api/metrics.go"], -1) {
		want["ios_api_"+m[1]+m[2]] = true
	}
	shown := make(map[string]bool)
	for _, m := range regexp.MustCompile("`(ios_[a-z_]+)`").FindAllStringSubmatch(page(t, "docs/operators.md").text, -1) {
		shown[m[1]] = true
	}
	if len(want) < 15 {
		t.Fatalf("%d metrics in the sources", len(want))
	}
	for name := range want {
		if !shown[name] {
			t.Errorf("metric %s is not explained", name)
		}
	}
	for name := range shown {
		if !want[name] {
			t.Errorf("there is no metric %s", name)
		}
	}
}
