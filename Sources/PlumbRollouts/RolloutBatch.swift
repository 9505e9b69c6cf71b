public import PlumbData
public import PlumbTensors

/// Chosen responses laid end to end for the training forward pass, each prompt once per batch.
public struct RolloutBatch: Hashable, Sendable {
  /// Tokens, layout, and which row predicts which token.
  public let packed: PackedBatch
  /// The responses, in the order of `lengths`: grouped by prompt.
  public let places: [ResponsePlace]

  /// All tokens, prompts and responses, [N].
  public var tokens: [Int32] { packed.tokens }
  /// Segments of `tokens`; responses continue their prompt.
  public var layout: PackedLayout { packed.layout }
  /// Rows of `tokens` that predict the response tokens, responses in order, [M].
  public var rows: [Int] { packed.rows }
  /// The response tokens, [M].
  public var targets: [Int32] { packed.targets }
  /// Number of tokens of each response; they add up to M.
  public var lengths: [Int] { packed.targetCounts }
}

extension RolloutBuffer {
  /// Packs chosen responses, those to one prompt together.
  ///
  /// Traps on empty prompts and responses.
  /// - Parameter chosen: which responses; all if nil. Groups come in the order of their first
  ///   response; see `RolloutBatch.places` for the order that results.
  public func batch(_ chosen: [ResponsePlace]? = nil) -> RolloutBatch {
    var order: [Int] = []
    var byGroup: [Int: [ResponsePlace]] = [:]
    for place in chosen ?? places {
      if byGroup[place.group] == nil { order.append(place.group) }
      byGroup[place.group, default: []].append(place)
    }
    let packed = order.map { index in
      precondition(
        !groups[index].promptTokens.isEmpty,
        "RolloutBuffer: expected a prompt in group \(index), found none")
      return TokenGroup(
        prompt: groups[index].promptTokens,
        responses: (byGroup[index] ?? []).map { self[$0].tokens }, example: index)
    }
    return RolloutBatch(
      packed: PackedBatch(packed), places: order.flatMap { byGroup[$0] ?? [] })
  }

  /// The places of whole groups, cut into runs whose packed tokens stay within a budget.
  ///
  /// A group that is larger than the budget stands alone.
  public func batches(tokenBudget: Int) -> [[ResponsePlace]] {
    var runs: [[ResponsePlace]] = []
    var current: [ResponsePlace] = []
    var tokens = 0
    for (index, group) in groups.enumerated() {
      if !current.isEmpty, tokens + group.tokenCount > tokenBudget {
        runs.append(current)
        current = []
        tokens = 0
      }
      current += group.responses.indices.map { ResponsePlace(group: index, response: $0) }
      tokens += group.tokenCount
    }
    if !current.isEmpty { runs.append(current) }
    return runs
  }

  /// The numbers of one per-token field in the order of a batch, [M].
  ///
  /// - Throws: `RolloutError.missing` if the field of a response is not filled.
  public func values(
    of field: RolloutField, in batch: RolloutBatch
  ) throws(RolloutError) -> [Float] {
    var result: [Float] = []
    result.reserveCapacity(batch.rows.count)
    for place in batch.places {
      let response = self[place]
      let values = response[keyPath: field.path]
      guard values.count == response.tokens.count else {
        guard values.isEmpty else {
          throw .wrongLength(
            group: place.group, response: place.response, field: field.rawValue,
            expected: response.tokens.count, found: values.count)
        }
        throw .missing(
          group: place.group, response: place.response, field: field.rawValue,
          remedy: field.remedy)
      }
      result += values
    }
    return result
  }

  /// Stores the numbers of one per-token field, given in the order of a batch.
  public mutating func set(_ field: RolloutField, to values: [Float], in batch: RolloutBatch) {
    precondition(
      values.count == batch.rows.count,
      "RolloutBuffer: expected \(batch.rows.count) values of \(field.rawValue), found \(values.count)"
    )
    var next = 0
    for (place, length) in zip(batch.places, batch.lengths) {
      self[place][keyPath: field.path] = Array(values[next..<next + length])
      next += length
    }
  }
}

/// A field of a response with one number per token.
///
/// The raw value is its name in stored buffers.
public enum RolloutField: String, Hashable, Sendable, CaseIterable {
  /// Log-probs under the policy that produced the tokens.
  case behaviourLogprobs = "behaviour_logprobs"
  /// Log-probs under the frozen reference.
  case referenceLogprobs = "reference_logprobs"
  /// Values of the states before the tokens.
  case values
  /// Rewards of the tokens.
  case tokenRewards = "token_rewards"
  /// Advantages of the tokens.
  case advantages
  /// Targets of the values.
  case returns

  /// Where the field lives.
  var path: WritableKeyPath<Rollout, [Float]> {
    switch self {
    case .behaviourLogprobs: \.behaviourLogprobs
    case .referenceLogprobs: \.referenceLogprobs
    case .values: \.values
    case .tokenRewards: \.tokenRewards
    case .advantages: \.advantages
    case .returns: \.returns
    }
  }

  var remedy: String {
    switch self {
    case .behaviourLogprobs: "call recomputeLogprobs with the policy that is about to be trained"
    case .referenceLogprobs: "call fillReferenceLogprobs with the frozen reference"
    case .values: "call fillValues with the critic"
    case .tokenRewards: "compute the token rewards first"
    case .advantages, .returns: "compute the advantages first"
    }
  }
}
