// Package merkle has the hash trees of RFC 6962 (and its successor RFC 9162)
// over SHA-256: roots, inclusion paths and consistency proofs.
//
// A tree is a list of leaf hashes, in order. [LeafHash] prefixes the data with
// 0x00 and [NodeHash] its two children with 0x01, so that no inner node can be
// passed off as a leaf. A tree of n leaves splits at the largest power of two
// below n; read by levels from the leaves this is the same as pairing
// neighbours and carrying an odd last node up unchanged, which is how this
// package computes it.
//
//   - [Root] of a list, in one pass and without allocating.
//   - [Tree] keeps the inner nodes, for many paths over one list.
//   - [Path] proves that a leaf is at an index of a tree of a given size, and
//     [VerifyPath] checks it.
//   - [Consistency] proves that a tree is a prefix of a larger one, and
//     [VerifyConsistency] checks it.
//
// The verifiers take what a stranger sent. A proof of any other length than the
// one that the sizes imply is refused before anything is hashed, so a proof is
// never longer than 64 hashes. Index and size are part of what is proven:
// callers must take the size from where they take the root, or leave the index
// out of what they conclude.
package merkle
