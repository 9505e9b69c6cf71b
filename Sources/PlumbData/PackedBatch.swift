public import PlumbTensors

/// Sequences laid end to end without padding, with what a loss needs to read them.
///
/// N tokens in all, R responses, M targets. Responses of a group share its prompt, which stands in
/// `tokens` once. The hidden state at `rows[m]` predicts `targets[m]`: for the first token of a
/// response that is the last row of the prompt, for every other the row of the token before.
public struct PackedBatch: Hashable, Sendable {
  /// The token ids, [N].
  public let tokens: [Int32]
  /// Which tokens attend to which, and the position ids.
  public let layout: PackedLayout
  /// The rows of the hidden states that predict a target, [M], response after response.
  public let rows: [Int]
  /// The token that each of `rows` must predict, [M].
  public let targets: [Int32]
  /// How many targets each response has, [R]; the lengths for `segmentSum`.
  public let targetCounts: [Int]
  /// Where each response lies in `tokens`, [R].
  public let responseRanges: [Range<Int>]
  /// How many responses each group has.
  public let responseCounts: [Int]
  /// The row of the data set from which each group came.
  public let examples: [Int]

  /// Lays out `groups` in their order.
  ///
  /// A prompt with one response is one plain segment; with several it is a prefix segment that
  /// they share. Where the prompt is empty, nothing predicts the first token of a response, so it
  /// is no target.
  public init(_ groups: [TokenGroup]) {
    var tokens: [Int32] = []
    var segments: [(prefix: Int, continuations: [Int])] = []
    var rows: [Int] = []
    var targets: [Int32] = []
    var targetCounts: [Int] = []
    var ranges: [Range<Int>] = []
    for group in groups {
      let start = tokens.count
      tokens += group.prompt
      for (number, response) in group.responses.enumerated() {
        let range = tokens.count..<(tokens.count + response.count)
        tokens += response
        ranges.append(range)
        let mask = group.isTarget?[number]
        let before = rows.count
        for (offset, target) in response.enumerated() where mask?[offset] ?? true {
          let row = offset > 0 ? range.lowerBound + offset - 1 : start + group.prompt.count - 1
          guard offset > 0 || !group.prompt.isEmpty else { continue }
          rows.append(row)
          targets.append(target)
        }
        targetCounts.append(rows.count - before)
      }
      let lengths = group.responses.map(\.count)
      if group.prompt.isEmpty {
        segments += lengths.map { ($0, []) }
      } else if lengths.count == 1 {
        segments.append((group.prompt.count + lengths[0], []))
      } else {
        segments.append((group.prompt.count, lengths))
      }
    }
    self.tokens = tokens
    layout = PackedLayout(groups: segments)
    self.rows = rows
    self.targets = targets
    self.targetCounts = targetCounts
    responseRanges = ranges
    responseCounts = groups.map(\.responses.count)
    examples = groups.map(\.example)
  }

  /// The row of the last token of each response, [R]: where a reward head reads its score.
  public var finalRows: [Int] { responseRanges.map { $0.upperBound - 1 } }

  /// The indices among all responses of the `place`-th response of every group that has one.
  ///
  /// For pairs, place 0 is the chosen and place 1 the rejected response.
  public func responses(atPlace place: Int) -> [Int] {
    var first = 0
    var indices: [Int] = []
    for count in responseCounts {
      if place < count { indices.append(first + place) }
      first += count
    }
    return indices
  }
}
