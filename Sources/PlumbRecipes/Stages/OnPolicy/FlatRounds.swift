import PlumbRollouts

extension RolloutBuffer {
  /// The share of prompts no two of whose responses the judge tells apart: they teach nothing.
  ///
  /// Two responses are told apart by their scores, where they have some, or by their mean log-odds. One
  /// response alone has nothing to be told apart from: where every prompt has one, the scores of the round
  /// are compared with each other, and the share is 1 or 0. 0 for a buffer that was not judged.
  var flatShare: Double {
    let several = groups.filter { $0.responses.count > 1 }
    guard several.isEmpty else {
      return Double(several.count { $0.isFlat }) / Double(several.count)
    }
    let scores = groups.flatMap { $0.responses.map(\.score) }
    return scores.count > 1 && Self.areEqual(scores) ? 1 : 0
  }

  /// Whether all values are there and the same.
  fileprivate static func areEqual(_ scores: [Float?]) -> Bool {
    guard let first = scores.first, first != nil else { return false }
    return scores.allSatisfy { $0 == first }
  }
}

extension RolloutGroup {
  fileprivate var isFlat: Bool {
    guard let means = opponentMeans(), means.allSatisfy({ $0 == means[0] }) else { return false }
    let scores = responses.map(\.score)
    return scores.contains(nil) || RolloutBuffer.areEqual(scores)
  }
}

/// When it is time to say again that rounds teach nothing.
struct FlatRounds {
  /// Rounds between two warnings, however many are flat.
  static let pause = 10
  private var last: Int?

  /// Whether a flat round is to be warned of; notes that it was.
  mutating func isDue(at update: Int) -> Bool {
    if let last, update - last < Self.pause { return false }
    last = update
    return true
  }
}
