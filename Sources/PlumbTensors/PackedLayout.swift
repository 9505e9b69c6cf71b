/// How sequences of different lengths lie end to end in one row of tokens, without padding.
///
/// A segment may continue a prefix segment: a prompt that several responses share is computed once,
/// and each response attends to all of it.
public struct PackedLayout: Hashable, Sendable {
  /// A run of adjacent tokens that attends to itself causally and to its prefix wholly.
  public struct Segment: Hashable, Sendable {
    /// The index of the first token among all tokens.
    public let start: Int
    /// The number of tokens.
    public let count: Int
    /// The index of an earlier segment, itself without prefix, that this one continues.
    public let prefix: Int?
  }

  /// The segments, in the order of their tokens, without gaps.
  public let segments: [Segment]
  /// The number of tokens in all segments, N.
  public let tokenCount: Int
  /// The position of every token in its sequence, [N]; it continues after the prefix.
  public let positions: [Int32]

  /// Independent sequences end to end.
  public init(lengths: [Int]) {
    var segments: [Segment] = []
    var start = 0
    for length in lengths {
      segments.append(Segment(start: start, count: length, prefix: nil))
      start += length
    }
    self.init(segments)
  }

  /// Groups that share their beginning: prefix, then the continuations, then the next group.
  public init(groups: [(prefix: Int, continuations: [Int])]) {
    var segments: [Segment] = []
    var start = 0
    for group in groups {
      let prefix = segments.count
      segments.append(Segment(start: start, count: group.prefix, prefix: nil))
      start += group.prefix
      for length in group.continuations {
        segments.append(Segment(start: start, count: length, prefix: prefix))
        start += length
      }
    }
    self.init(segments)
  }

  private init(_ segments: [Segment]) {
    self.segments = segments
    var positions: [Int32] = []
    for segment in segments {
      precondition(
        segment.count >= 0, "PackedLayout: expected no negative length, found \(segment.count)")
      let first = segment.prefix.map { segments[$0].count } ?? 0
      positions.append(contentsOf: (first..<(first + segment.count)).lazy.map(Int32.init))
    }
    tokenCount = positions.count
    self.positions = positions
  }
}
