// Package pvss is publicly verifiable secret sharing: a dealer shares a random
// secret among receivers, everybody can check that the shares are of one secret,
// and of threshold many receivers each reveals its share with a proof.
//
// # Terms
//
// The group is ristretto255 (RFC 9496) with the generator G, and a second
// generator H whose logarithm nobody knows. A receiver j = 1…c has the key X_j =
// x_j·G. A [Dealing] is for a polynomial p of degree t-1 over the scalars, where
// t = [Threshold](c): the t commitments a_k·H to its coefficients, the encrypted
// shares Y_j = p(j)·X_j, and proofs that the logarithm of Y_j to the base X_j is
// that of p(j)·H, which follows from the commitments, to the base H. The shared
// secret is p(0)·G. The share of j is S_j = p(j)·G = (1/x_j)·Y_j; a [Decryption]
// opens the shares of one receiver in a number of dealings, with one proof that
// x_j links all of them. Any t shares give p(0)·G by interpolation, fewer say
// nothing about it under the decisional Diffie-Hellman assumption.
//
// This is the scheme of Schoenmakers (Crypto 1999) with its commitments to
// coefficients. SCRAPE (Cascudo and David, 2017) replaces them by one per share
// and a test with a random dual codeword; in one multi-scalar multiplication with
// everything else the coefficients cost less, and there are t of them rather
// than c.
//
// # Proofs
//
// All proofs are made non-interactive by a hash over the whole statement: domain,
// session, dealer, H, all keys, commitments, shares and announcements for a
// dealing; for a decryption also G, the receiver's index, and the shares that it
// opens. Leaving out any of these has broken implementations: a challenge
// that the verifier does not compute proves nothing, a base that is not hashed
// can be chosen to fit, and an index that is not hashed can be swapped. The
// points decode to members of the prime order group or not at all, so there is
// no small subgroup to hide an error in. The encodings are canonical.
//
// A [Batch] checks any number of dealings and decryptions in one multi-scalar
// multiplication, each equation times a 128-bit coefficient. The coefficients come
// from a hash over every proof in the batch, responses included. So they are
// fixed only once everything that they multiply is; a wrong batch passes with
// probability 2^-128 for each time it is hashed, and making one takes 2^128
// hashes, no less than breaking the group. A secret stream would be no better, and
// this way all verifiers agree and need no randomness.
//
// # Nonces
//
// A nonce that is used for two challenges gives the secret away. Nonces, and the
// coefficients of the polynomial, are hashes of the secret key, of fresh random
// bytes, and of the statement: a random stream that repeats itself, after the
// restore of a snapshot for instance, repeats the same proof.
//
// Departures from the white paper (section 4.3, after RandHound): one proof for
// all that a receiver opens rather than one for each share.
package pvss
