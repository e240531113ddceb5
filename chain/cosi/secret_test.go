package cosi

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"
)

// The master keys of the test cases in EIP-2333, which has the same KeyGen.
func TestSecretFromSeedIsTheStandards(t *testing.T) {
	for _, c := range []struct{ seed, key string }{
		{
			"c55257c360c07c72029aebc1b53c05ed0362ada38ead3e3e9efa3708e53495531f09a6987599d18264c1e1c92f2cf141630c7a3c4ab7c81b2f001698e7463b04",
			"6083874454709270928345386274498605044986640685124978867557563392430687146096",
		},
		{
			"3141592653589793238462643383279502884197169399375105820974944592",
			"29757020647961307431480504535336562678282505419141012933316116377660817309383",
		},
		{
			"0099ff991111002299dd7744ee3355bbdd8844115566cc55663355668888cc00",
			"27580842291869792442942448775674722299803720648445448686099262467207037398656",
		},
		{
			"d4e56740f876aef8c010b86a40d5f56745a118d0906a34e69aec8c0db1cb8fa3",
			"19022158461524446591288038168518313374041767046816487870552872741050760015818",
		},
	} {
		seed, err := hex.DecodeString(c.seed)
		if err != nil {
			t.Fatal(err)
		}
		secret, err := SecretFromSeed(seed)
		if err != nil {
			t.Fatal(err)
		}
		if got := new(big.Int).SetBytes(secret.Bytes()).String(); got != c.key {
			t.Errorf("seed %s…: %s, want %s", c.seed[:8], got, c.key)
		}
		again, err := ParseSecret(secret.Bytes())
		if err != nil || !again.Equal(secret) {
			t.Errorf("stored and read: %v", err)
		}
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	if _, err := SecretFromSeed(make([]byte, 31)); !errors.Is(err, ErrSecret) {
		t.Errorf("a short seed: %v", err)
	}
	order, _ := hex.DecodeString("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")
	for _, raw := range [][]byte{nil, make([]byte, 31), make([]byte, 32), make([]byte, 33), order} {
		if _, err := ParseSecret(raw); !errors.Is(err, ErrSecret) {
			t.Errorf("%x: %v", raw, err)
		}
	}
	order[31]--
	last, err := ParseSecret(order)
	if err != nil {
		t.Fatal(err)
	}
	copied := last
	last.Wipe()
	for _, s := range []Secret{{}, last, copied} {
		if _, err := (BLS{}).Sign(s, nil); !errors.Is(err, ErrSecret) {
			t.Errorf("%#v signs: %v", s, err)
		}
		if _, err := (BLS{}).Public(s); !errors.Is(err, ErrSecret) {
			t.Errorf("%#v has a key: %v", s, err)
		}
		if _, err := (BLS{}).Prove(s); !errors.Is(err, ErrSecret) {
			t.Errorf("%#v proves: %v", s, err)
		}
	}
	(Secret{}).Wipe()
}

// Not even where fmt reaches past the String method.
func TestSecretsDoNotPrint(t *testing.T) {
	raw := []byte(strings.Repeat("\x5a", 32))
	raw[0] = 0x15
	s, err := ParseSecret(raw)
	if err != nil {
		t.Fatal(err)
	}
	config := struct {
		secret Secret
		Shown  Secret
		list   []Secret
	}{s, s, []Secret{s}}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, v := range []any{s, &s, config, &config, []Secret{s}, map[string]Secret{"k": s}} {
			out := fmt.Sprintf(verb, v)
			for _, leak := range []string{"5a5a", "5A5A", "90 90", "0x5a, 0x5a", "ZZ"} {
				if strings.Contains(out, leak) {
					t.Errorf("%s of %T prints the key: %s", verb, v, out)
				}
			}
		}
	}
	out, err := json.Marshal(config)
	if err != nil || strings.Contains(string(out), "90,90") || strings.Contains(string(out), "Wlpa") {
		t.Errorf("as JSON: %s, %v", out, err)
	}
}
