extension PairPreferenceModel {
  /// Cuts a pair so that prompt and both responses fit into one sequence.
  ///
  /// A longer prompt loses its beginning until it takes a third, then the longer response its end until
  /// both are equal, then both. The last `kept` tokens of a response (its end marks) survive.
  /// - Parameters:
  ///   - pair: a group of two responses.
  ///   - limit: the longest sequence, in tokens.
  ///   - kept: end marks of a response.
  /// - Returns: the pair and whether it was cut; nil where there is no room, or where nothing is left
  ///   that tells the responses apart.
  public func fit(
    _ pair: PreferenceGroup, limit: Int, keepingLast kept: Int
  ) -> (pair: PreferenceGroup, wasCut: Bool)? {
    guard pair.responses.count == 2 else { return nil }
    let room = limit - opening.count
    let sides = pair.responses.map(readout.prepared)
    let total = pair.prompt.count + sides[0].count + sides[1].count
    guard total > room else { return sides[0] == sides[1] ? nil : (pair, false) }
    guard room >= 2 * (kept + 1) + 1 else { return nil }
    let promptLimit = max(room / 3, room - sides[0].count - sides[1].count)
    let prompt = Array(pair.prompt.suffix(promptLimit))
    let left = room - prompt.count
    // The shorter response keeps what it has up to half; the other takes the rest.
    let half = left / 2
    let limits = [
      max(half, left - sides[1].count), max(half, left - sides[0].count),
    ]
    let responses = zip(sides, limits).map { Self.cut($0, to: $1, keepingLast: kept) }
    guard responses[0] != responses[1] else { return nil }
    return (PreferenceGroup(prompt: prompt, responses: responses), true)
  }

  private static func cut(_ tokens: [Int32], to limit: Int, keepingLast kept: Int) -> [Int32] {
    guard tokens.count > limit else { return tokens }
    let kept = min(kept, limit)
    return Array(tokens.prefix(limit - kept)) + tokens.suffix(kept)
  }
}
