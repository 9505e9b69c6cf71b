/// Watches whether the chosen answers lose probability step by step.
///
/// Losses on margins are content when chosen answers fall, as long as rejected ones fall faster. The run
/// is cut into tenths; the watch speaks once, when three tenths in a row lie each below the one before
/// and the last one below where the policy started.
struct ChosenWatch {
  private let width: Int
  /// The value at the start, where it is known: 0 for rewards against a reference.
  private let start: Double?
  private var means: [Double] = []
  private var sum = 0.0
  private var count = 0
  private var hasSpoken = false

  /// - Parameters:
  ///   - steps: of the whole training.
  ///   - usesReference: whether the values are log-ratios to a reference, which start at 0.
  ///   - earlier: values of the steps before, of a run that is continued.
  init(steps: Int, usesReference: Bool, earlier: [Double] = []) {
    width = max(1, steps / 10)
    start = usesReference ? 0 : nil
    for value in earlier { _ = add(value) }
  }

  /// Takes the value of a step; gives what to tell the user, at most once.
  mutating func add(_ value: Double) -> String? {
    guard value.isFinite else { return nil }
    sum += value
    count += 1
    guard count == width else { return nil }
    means.append(sum / Double(count))
    (sum, count) = (0, 0)
    guard !hasSpoken, means.count >= 4, let first = means.first, let last = means.last else {
      return nil
    }
    let recent = means.suffix(4)
    let falls = zip(recent, recent.dropFirst()).allSatisfy { $0 > $1 }
    guard falls, last < start ?? first else { return nil }
    hasSpoken = true
    return """
      chosen answers are becoming less likely: \(rounded(recent.first ?? 0)) to \(rounded(last)) over \
      the last \(3 * width) steps. The loss only asks that rejected ones fall faster. To hold them up: \
      sft_weight 0.1 to 1, loss nca or apo-zero, a larger beta, or a smaller learning rate
      """
  }

  private func rounded(_ value: Double) -> String { "\((value * 1000).rounded() / 1000)" }
}
