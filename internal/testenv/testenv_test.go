package testenv

import (
	"testing"
	"time"
)

func TestSetting(t *testing.T) {
	t.Setenv("IOS_SEEDS", "")
	if n := Setting(t, "IOS_SEEDS", 3); n != 3 {
		t.Error(n)
	}
	t.Setenv("IOS_SEEDS", "18446744073709551615")
	if n := Setting(t, "IOS_SEEDS", 3); n != 1<<64-1 {
		t.Error(n)
	}
}

func TestCPU(t *testing.T) {
	start, n := CPU(t), 0
	for deadline := time.Now().Add(time.Minute); CPU(t) == start; n++ {
		if time.Now().After(deadline) {
			t.Fatal("work takes no time")
		}
	}
}
