// Package beacontest makes chains of epochs with real beacons, and the files that
// prove their values, without a network: for tests of whoever reads such files.
// The agreement's part is played here, with all keys at hand.
package beacontest
