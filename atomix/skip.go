package atomix

// Skip is why a transaction or a bundle's entry had no effect. Nothing is
// recorded for it; the numbers are part of the API.
type Skip uint8

// The reasons.
const (
	_               Skip = iota
	SkipMissing          // an input is not there: spent, of another owner, or not yet made
	SkipLocked           // another open transfer holds an input
	SkipClaim            // an input claims another amount than its coin has
	SkipDecided          // the shard has its answer already
	SkipExpired          // the transaction's last epoch has passed
	SkipWrongShard       // the shard is not involved, or holds no input of it
	SkipUnknown          // an entry of a transaction that was not shown with it
	SkipNothingOpen      // a no, or a commit, where nothing is open
	SkipUninvolved       // an entry of a shard that the transaction does not involve
	SkipStale            // a proof from more than an epoch ago
	skipEnd
)

var skipNames = [skipEnd]string{
	"none", "missing_input", "locked", "false_claim", "decided", "expired",
	"wrong_shard", "unknown_transaction", "nothing_open", "uninvolved", "stale",
}

var skipTexts = [skipEnd]string{
	"",
	"an input is not there: it was spent, belongs to somebody else, or does not exist yet",
	"another open transfer holds an input",
	"an input claims another amount than its coin has",
	"the shard has recorded its outcome already",
	"its last epoch has passed; make and sign it anew",
	"the shard holds no input of it",
	"the transaction was not shown together with its outcome",
	"nothing is open that the outcome could close",
	"the outcome is of a shard that the transaction does not involve",
	"the outcome was certified more than an epoch ago, by keys that may be stolen by now",
}

// String is the stable name.
func (s Skip) String() string {
	if s < skipEnd {
		return skipNames[s]
	}
	return "unknown"
}

// Text is a sentence for people.
func (s Skip) Text() string {
	if s < skipEnd {
		return skipTexts[s]
	}
	return "unknown reason"
}
