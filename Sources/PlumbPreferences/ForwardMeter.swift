import Synchronization

/// What went through the trunk of a preference model.
public struct ForwardPasses: Hashable, Codable, Sendable {
  /// Sequences that a head was read from: responses, or pairs in one order.
  public var sequences = 0
  /// Tokens computed; a prompt that several sequences share counts once.
  public var tokens = 0
  /// Calls of the trunk, each on as many sequences as the token budget holds.
  public var batches = 0

  /// Nothing yet.
  public init() {}
}

/// Counts what preference models compute, whoever asks them.
///
/// The counts are taken where a trunk is called, not from a formula, so that they show what a judge
/// really costs: one sequence per response for rewards and embeddings, one per pair and order for a
/// pair model (arXiv 2410.02197, §1: O(K) against O(K²) queries).
///
/// ```swift
/// let (judgements, passes) = try ForwardMeter.measure { try judge.judge(groups: groups) }
/// ```
public final class ForwardMeter: Sendable {
  @TaskLocal private static var current: ForwardMeter?
  private let counts = Mutex(ForwardPasses())

  private init() {}

  /// Runs `body` and counts what the preference models inside it compute.
  ///
  /// Meters nest: the innermost counts.
  public static func measure<R>(_ body: () throws -> R) rethrows -> (
    result: R, passes: ForwardPasses
  ) {
    let meter = ForwardMeter()
    let result = try $current.withValue(meter) { try body() }
    return (result, meter.counts.withLock { $0 })
  }

  /// Notes one call of a trunk.
  static func count(_ batch: PreferenceBatch) {
    current?.counts.withLock { counts in
      counts.sequences += batch.readRows.count
      counts.tokens += batch.tokens.count
      counts.batches += 1
    }
  }
}
