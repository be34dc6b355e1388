package sigv4_test

import "testing"

func BenchmarkVerifyToken(b *testing.B) {
	all := readVectors(b)
	for _, vector := range all.Tokens[:2] {
		b.Run("token="+map[bool]string{true: "keys", false: "session"}[vector.SessionToken == ""], func(b *testing.B) {
			verifier, endpoint := all.verifier(vector.SessionToken, all.Now), vector.endpoint()
			b.ReportAllocs()
			for b.Loop() {
				if _, err := verifier.VerifyToken(vector.Token, endpoint); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
