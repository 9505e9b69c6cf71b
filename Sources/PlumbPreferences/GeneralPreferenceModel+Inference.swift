import PlumbTensors

/// Embeddings of the responses to one prompt, outside of a graph.
public struct PreferenceEmbeddings: Codable, Hashable, Sendable {
  /// One embedding of extent 2k for each response.
  public let responses: [[Float]]
  /// Weights of the k planes from the prompt; nil without a gate.
  public let gate: [Float]?

  /// Makes embeddings.
  public init(responses: [[Float]], gate: [Float]? = nil) {
    self.responses = responses
    self.gate = gate
  }

  /// Raw score s(first > second) of two responses, `tau` not applied; summed in Double.
  public func score(_ first: Int, over second: Int) -> Double {
    let (a, b) = (responses[first], responses[second])
    var score = 0.0
    for plane in 0..<a.count / 2 {
      let (even, odd) = (2 * plane, 2 * plane + 1)
      let turn = Double(a[even]) * Double(b[odd]) - Double(a[odd]) * Double(b[even])
      score += gate.map { Double($0[plane]) * turn } ?? turn
    }
    return score
  }

  /// Table of log-odds `s(i > j) / tau`, antisymmetric to the bit, with a zero diagonal.
  public func preferenceLogits(tau: Double) -> [[Double]] {
    let count = responses.count
    var table = [[Double]](repeating: [Double](repeating: 0, count: count), count: count)
    for i in 0..<count {
      for j in i + 1..<max(count, i + 1) {
        let logit = score(i, over: j) / tau
        table[i][j] = logit
        table[j][i] = -logit
      }
    }
    return table
  }
}

extension GeneralPreferenceModel {
  /// Embeddings of every response of every group, without graph.
  ///
  /// Groups are packed in order until `tokenBudget` is reached; nothing is padded, so an embedding does
  /// not depend on what else is in the batch (beyond the rounding of matrix products, 1e-5).
  /// - Throws: `PreferenceError` naming the group that is empty, too long, out of the vocabulary, or
  ///   whose embedding is not finite.
  public func embeddings(
    groups: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [PreferenceEmbeddings] {
    var model = self
    model.parameters = parameters.frozen
    var result: [PreferenceEmbeddings] = []
    result.reserveCapacity(groups.count)
    for range in chunks(of: groups, tokenBudget: tokenBudget) {
      let batch = try batch(Array(groups[range]), firstRow: range.lowerBound)
      let (responses, gates) = model.embeddings(batch)
      let values = rows(of: responses)
      let gateValues = gates.map(rows(of:))
      var next = 0
      for (offset, count) in batch.responseCounts.enumerated() {
        let embeddings = PreferenceEmbeddings(
          responses: Array(values[next..<next + count]), gate: gateValues?[offset])
        next += count
        let all = embeddings.responses.joined()
        if let bad = (Array(all) + (embeddings.gate ?? [])).first(where: { !$0.isFinite }) {
          throw .notFinite(
            row: range.lowerBound + offset, what: "preference embedding", value: "\(bad)")
        }
        result.append(embeddings)
      }
    }
    return result
  }

  /// Log-odds that the first response of each group is preferred to the second, `s / tau`.
  /// - Throws: as `embeddings(groups:tokenBudget:)`.
  public func logOdds(
    pairs: [PreferenceGroup], tokenBudget: Int = 4096
  ) throws(PreferenceError) -> [Double] {
    let tau = tau
    return try embeddings(groups: pairs, tokenBudget: tokenBudget).map {
      $0.score(0, over: 1) / tau
    }
  }
}

/// The rows of a [N, C] tensor as arrays.
private func rows(of tensor: Tensor) -> [[Float]] {
  let width = tensor.shape[1]
  let values = tensor.scalars
  return (0..<tensor.shape[0]).map { Array(values[$0 * width..<($0 + 1) * width]) }
}
