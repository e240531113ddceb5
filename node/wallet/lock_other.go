//go:build !unix

package wallet

// lock does nothing where there is no flock: one process at a time should use a
// wallet there.
func lock(string) (unlock func(), err error) { return func() {}, nil }
