#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

/// A counter-based stream of random numbers, addressed by what it is for.
///
/// Philox4x32-10 (Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3"). The seed and the
/// purpose make the key; step, row and a running block number make the counter. So the numbers of
/// (seed, purpose, step, row) never depend on how many were drawn elsewhere, on threads or on time,
/// and two streams that differ in any of the four are independent.
///
/// ```swift
/// var stream = RandomStream(seed: 7, purpose: "rollout", step: 12, row: 3)
/// let draw = stream.uniform()
/// ```
public struct RandomStream: RandomNumberGenerator, Sendable {
  private let key: SIMD2<UInt32>
  private let row: UInt32
  private let step: UInt32
  private var block: UInt64 = 0
  private var words = SIMD4<UInt32>(repeating: 0)
  private var used = 4

  /// The stream of `purpose` at (`step`, `row`); both must lie in 0 ..< 2^32.
  public init(seed: UInt64, purpose: String, step: Int = 0, row: Int = 0) {
    guard let step32 = UInt32(exactly: step), let row32 = UInt32(exactly: row) else {
      preconditionFailure(
        "RandomStream: expected step and row in 0 ..< 2^32, found step \(step), row \(row)")
    }
    let mixed = Self.mix(Self.mix(seed) ^ Self.hash(purpose))
    key = SIMD2(UInt32(truncatingIfNeeded: mixed), UInt32(truncatingIfNeeded: mixed >> 32))
    self.step = step32
    self.row = row32
  }

  /// 64 random bits.
  public mutating func next() -> UInt64 {
    let low = UInt64(nextWord())
    return low | UInt64(nextWord()) << 32
  }

  /// A number in [0, 1), a multiple of 2^-24.
  public mutating func uniform() -> Float {
    Float(nextWord() >> 8) * 0x1p-24
  }

  /// A whole number in 0 ..< `bound`, every one equally likely.
  ///
  /// Multiplication with rejection (Lemire 2019), so there is no modulo bias. `bound` must be positive.
  public mutating func uniform(below bound: Int) -> Int {
    precondition(bound > 0, "uniform(below:): expected a positive bound, found \(bound)")
    let width = UInt64(bound)
    let rejected = (0 &- width) % width
    var product = next().multipliedFullWidth(by: width)
    while product.low < rejected { product = next().multipliedFullWidth(by: width) }
    return Int(product.high)
  }

  /// A standard normal number, by the cosine half of Box–Muller.
  ///
  /// `sqrt(-2 ln u) cos(2 pi v)` with u in (0, 1], so at most 6.7 in magnitude. It always takes two
  /// words of the stream and keeps nothing back.
  public mutating func normal() -> Float {
    let radius = (Float(nextWord()) + 1) * 0x1p-32
    let turn = Float(nextWord() >> 8) * 0x1p-24
    return (-2 * log(radius)).squareRoot() * cos(2 * Float.pi * turn)
  }

  /// The numbers 0 ..< `count` in random order (Fisher–Yates).
  public mutating func permutation(_ count: Int) -> [Int] {
    precondition(count >= 0, "permutation: expected a count of 0 or more, found \(count)")
    var order = Array(0..<count)
    for last in stride(from: count - 1, to: 0, by: -1) {
      order.swapAt(last, uniform(below: last + 1))
    }
    return order
  }

  private mutating func nextWord() -> UInt32 {
    if used == 4 {
      let counter = SIMD4(
        UInt32(truncatingIfNeeded: block), UInt32(truncatingIfNeeded: block >> 32), row, step)
      words = Self.philox(counter: counter, key: key)
      block += 1
      used = 0
    }
    defer { used += 1 }
    return words[used]
  }
}

extension RandomStream {
  /// Ten rounds of Philox4x32: the bijection of `counter` under `key`.
  static func philox(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var x = counter
    var k = key
    for _ in 0..<10 {
      let a = x[0].multipliedFullWidth(by: 0xD251_1F53)
      let b = x[2].multipliedFullWidth(by: 0xCD9E_8D57)
      x = SIMD4(b.high ^ x[1] ^ k[0], b.low, a.high ^ x[3] ^ k[1], a.low)
      k &+= SIMD2(0x9E37_79B9, 0xBB67_AE85)
    }
    return x
  }

  /// FNV-1a over the UTF-8 bytes; `Hasher` would change from run to run.
  private static func hash(_ text: String) -> UInt64 {
    text.utf8.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
  }

  /// The finaliser of SplitMix64: spreads small seeds over all 64 bits.
  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
