package keyset

import "testing"

func BenchmarkSchedule(b *testing.B) {
	versions := []Version{made("a", 0), made("b", 90), made("c", 180)}
	b.ReportAllocs()
	for b.Loop() {
		Schedule(versions, quarterly, day(181))
	}
}
