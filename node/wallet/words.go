package wallet

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/sha512"
	_ "embed"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The English word list of BIP-39, in alphabetical order.
//
//go:embed english.txt
var englishText string

var english = strings.Fields(englishText)

const (
	wordBits     = 11
	entropyBytes = 32 // 24 words
)

// NewWords makes 24 words from 32 bytes of random.
func NewWords(random io.Reader) (string, error) {
	entropy := make([]byte, entropyBytes)
	if _, err := io.ReadFull(random, entropy); err != nil {
		return "", fmt.Errorf("reading randomness for a wallet: %w", err)
	}
	return wordsOf(entropy), nil
}

// wordsOf writes entropy and its checksum, of a bit for each 4 bytes, in words.
func wordsOf(entropy []byte) string {
	sum := sha256.Sum256(entropy)
	bits := append(slices.Clone(entropy), sum[0])
	words := make([]string, len(entropy)*8*33/32/wordBits)
	for i := range words {
		words[i] = english[take(bits, i*wordBits)]
	}
	return strings.Join(words, " ")
}

// take reads the 11 bits that begin at bit at.
func take(bits []byte, at int) (v int) {
	for i := at; i < at+wordBits; i++ {
		v = v<<1 | int(bits[i/8]>>(7-i%8)&1)
	}
	return v
}

// CheckWords brings words into their one form, single spaces and lower case.
// The error says which word is wrong, or that their checksum is.
func CheckWords(text string) (string, error) {
	words := strings.Fields(strings.ToLower(text))
	switch len(words) {
	case 12, 15, 18, 21, 24:
	default:
		return "", fmt.Errorf("%d words, 12, 15, 18, 21 or 24 are wanted", len(words))
	}
	total := len(words) * wordBits
	bits := make([]byte, (total+7)/8)
	for i, w := range words {
		n, ok := slices.BinarySearch(english, w)
		if !ok {
			return "", fmt.Errorf("word %d, %q, is not in the list of BIP-39; check its spelling", i+1, w)
		}
		for b := range wordBits {
			at := i*wordBits + b
			bits[at/8] |= byte(n>>(wordBits-1-b)&1) << (7 - at%8)
		}
	}
	joined := strings.Join(words, " ")
	if wordsOf(bits[:total*32/33/8]) != joined {
		return "", fmt.Errorf("the checksum of the words is wrong; check their order, and each of them")
	}
	return joined, nil
}

// wordsSeed is the 64-byte seed of words in their one form. Both are ASCII, so
// that BIP-39's normalization changes nothing.
func wordsSeed(words, passphrase string) ([]byte, error) {
	return pbkdf2.Key(sha512.New, words, []byte("mnemonic"+passphrase), 2048, 64)
}
