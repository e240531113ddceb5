package wallet

import "ios/chain"

// Kinds of refusals that only wallets have.
const (
	ErrPassphrase   chain.ErrorKind = "wrong_passphrase"
	ErrExists       chain.ErrorKind = "wallet_exists"
	ErrNoWallet     chain.ErrorKind = "no_wallet"
	ErrDamaged      chain.ErrorKind = "damaged_wallet"
	ErrInsufficient chain.ErrorKind = "insufficient_funds"
	ErrInputs       chain.ErrorKind = "too_many_inputs"
	ErrUnknownTx    chain.ErrorKind = "unknown_transaction"
	ErrBalance      chain.ErrorKind = "balance_unknown"
)
