import PlumbTensors

extension PairPreferenceModel {
  /// Log-odds that the first response of each pair is preferred, read in each order, without graph.
  ///
  /// - Parameters:
  ///   - pairs: groups of two responses.
  ///   - tokenBudget: tokens computed at once.
  /// - Returns: `asGiven` is `z(first, second)`; `swapped` is `-z(second, first)`, the same quantity
  ///   read the other way round. Without a bias of place they are equal.
  /// - Throws: `PreferenceError` naming the row at fault.
  public func logOddsInBothOrders(
    pairs: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [(asGiven: Double, swapped: Double)] {
    try raw(pairs, orders: [false, true], tokenBudget: tokenBudget).map { ($0[0], -$0[1]) }
  }

  /// Log-odds that the first response of each group is preferred to the second.
  ///
  /// With `orders` `.both` the mean over both orders, antisymmetric; with `.single` as asked.
  /// - Throws: as `logOddsInBothOrders`.
  public func logOdds(
    pairs: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [Double] {
    switch orders {
    case .single:
      try raw(pairs, orders: [false], tokenBudget: tokenBudget).map { $0[0] }
    case .both:
      try logOddsInBothOrders(pairs: pairs, tokenBudget: tokenBudget).map {
        answer(asGiven: $0.asGiven, swapped: $0.swapped)
      }
    }
  }

  /// What the model answers, in its `orders`, to a pair that was read in both.
  func answer(asGiven: Double, swapped: Double) -> Double {
    orders == .both ? (asGiven + swapped) / 2 : asGiven
  }

  /// Table of log-odds of every pair of the responses of each group, antisymmetric, zero diagonal.
  ///
  /// K (K - 1) / 2 pairs are asked, in one or both orders; equal responses are not asked.
  /// - Throws: as `logOddsInBothOrders`; the row is that of the group.
  public func preferenceLogits(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws -> [[[Double]]] {
    var tables: [[[Double]]] = []
    for (row, group) in groups.enumerated() {
      let count = group.responses.count
      var table = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
      var places: [(i: Int, j: Int)] = []
      for i in 0..<count {
        for j in i + 1..<max(count, i + 1) where group.responses[i] != group.responses[j] {
          places.append((i, j))
        }
      }
      let pairs = places.map { place in
        PreferenceGroup(
          prompt: group.prompt, chosen: group.responses[place.i],
          rejected: group.responses[place.j])
      }
      let found: [Double]
      do {
        found = try logOdds(pairs: pairs, tokenBudget: tokenBudget)
      } catch {
        throw error.inRow(row)
      }
      for (place, logit) in zip(places, found) {
        table[place.i][place.j] = logit
        table[place.j][place.i] = -logit
      }
      tables.append(table)
    }
    return tables
  }

  /// `z` of every pair in the given orders.
  private func raw(
    _ pairs: [PreferenceGroup], orders: [Bool], tokenBudget: Int
  ) throws(PreferenceError) -> [[Double]] {
    var model = self
    model.parameters = parameters.frozen
    var result: [[Double]] = []
    result.reserveCapacity(pairs.count)
    // A pair's sequences take both responses once for each order.
    let costs = pairs.map { orders.count * ($0.tokenCount - $0.prompt.count + opening.count) }
    for range in Self.ranges(pairs, costs: costs, budget: tokenBudget) {
      let part = Array(pairs[range])
      let batch = try model.batch(
        part, swapped: part.map { _ in orders }, firstRow: range.lowerBound)
      let values = batch.readRows.isEmpty ? [] : model.logits(batch).scalars
      for offset in part.indices {
        let own = values[offset * orders.count..<(offset + 1) * orders.count].map(Double.init)
        for value in own where !value.isFinite {
          throw .notFinite(row: range.lowerBound + offset, what: "preference", value: "\(value)")
        }
        result.append(own)
      }
    }
    return result
  }

  /// Consecutive ranges whose tokens stay within the budget; a longer pair stands alone.
  private static func ranges(
    _ pairs: [PreferenceGroup], costs: [Int], budget: Int
  ) -> [Range<Int>] {
    var ranges: [Range<Int>] = []
    var (start, tokens) = (0, 0)
    for (index, pair) in pairs.enumerated() {
      let cost = costs[index] + pair.prompt.count
      if index > start, tokens + cost > budget {
        ranges.append(start..<index)
        (start, tokens) = (index, 0)
      }
      tokens += cost
    }
    if start < pairs.count { ranges.append(start..<pairs.count) }
    return ranges
  }
}

extension PreferenceError {
  /// The same fault, told of the group that a pair was made from.
  func inRow(_ row: Int) -> PreferenceError {
    switch self {
    case .emptySequence: .emptySequence(row: row)
    case .sequenceTooLong(_, let tokens, let limit):
      .sequenceTooLong(row: row, tokens: tokens, limit: limit)
    case .tokenOutOfRange(_, let position, let token, let size):
      .tokenOutOfRange(row: row, position: position, token: token, vocabularySize: size)
    case .notFinite(_, let what, let value): .notFinite(row: row, what: what, value: value)
    default: self
    }
  }
}
