import PlumbCheckpoints
import PlumbTensors
import Testing

@Suite struct HalfPrecisionTests {
  /// Every half against the compiler's own conversion.
  @Test func everyHalfWidens() {
    for bits in UInt16.min...UInt16.max {
      let expected = Float(Float16(bitPattern: bits))
      let found = HalfPrecision.float(float16: bits)
      #expect(found.bitPattern == expected.bitPattern || (found.isNaN && expected.isNaN))
    }
  }

  /// Random bit patterns, and every half with its neighbourhood, against the compiler's conversion.
  @Test func narrowsToHalfAsTheCompilerDoes() {
    var stream = RandomStream(seed: 1, purpose: "half")
    var patterns = (0..<300_000).map { _ in UInt32(truncatingIfNeeded: stream.next()) }
    for bits in UInt16.min...UInt16.max {
      let value = Float(Float16(bitPattern: bits)).bitPattern
      // The middle between two halves is 0x1000 above; ties and their neighbours are the hard cases.
      for step: UInt32 in [0, 0x0fff, 0x1000, 0x1001] { patterns.append(value &+ step) }
    }
    var failures = 0
    for pattern in patterns {
      let value = Float(bitPattern: pattern)
      let found = HalfPrecision.float16(value)
      let expected = Float16(value)
      let agrees =
        value.isNaN
        ? Float16(bitPattern: found).isNaN : found == expected.bitPattern
      if !agrees { failures += 1 }
    }
    #expect(failures == 0)
  }

  /// The result is the nearer neighbour, and the even one of two at equal distance.
  @Test func narrowsToNearestEvenBFloat16() {
    var stream = RandomStream(seed: 2, purpose: "bfloat16")
    for round in 0..<200_000 {
      var pattern = UInt32(truncatingIfNeeded: stream.next())
      if round % 3 == 0 { pattern = pattern & 0xffff_0000 | 0x8000 }
      let value = Float(bitPattern: pattern)
      let found = HalfPrecision.bfloat16(value)
      if value.isNaN {
        #expect(HalfPrecision.float(bfloat16: found).isNaN)
        continue
      }
      let below = pattern >> 16
      let rest = pattern & 0xffff
      let up = rest > 0x8000 || (rest == 0x8000 && below & 1 == 1)
      #expect(found == UInt16(below + (up ? 1 : 0)), "\(value)")
    }
    #expect(HalfPrecision.bfloat16(.greatestFiniteMagnitude) == 0x7f80)
    #expect(HalfPrecision.bfloat16(Float(bitPattern: 0x7f80_0001)) & 0x7fff > 0x7f80)
  }
}
