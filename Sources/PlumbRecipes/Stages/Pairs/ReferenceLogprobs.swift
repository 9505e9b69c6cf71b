import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// A frozen model that a policy is compared with.
struct ReferenceModel {
  /// As the recipe calls it.
  let name: String
  /// See `weightsFingerprint`.
  let weights: String
  /// Whether an adapter travels with the weights: merged weights round otherwise.
  let hasAdapter: Bool
  /// Called only where the cache has not all numbers.
  let load: () throws -> CausalLM
}

/// The frozen models that a policy is compared with, and how much each of them counts.
struct ReferenceLogprobs {
  let models: [ReferenceModel]
  /// Positive, with sum 1.
  let weights: [Float]
  let template: String
  let cache: ReferenceCache
  let context: StageContext

  /// Tokens of responses whose numbers are computed, and kept, together.
  private static let partTokens = 65_536
  /// Tokens that go through a model at once.
  private static let batchTokens = 4096

  /// The references of a recipe: the policy that the stage starts from, or other models.
  ///
  /// - Parameters:
  ///   - policy: as the stage starts from it, with its name in the recipe.
  ///   - others: stages or folders; none for the policy itself.
  ///   - weights: one for each of `others`, with sum 1; a single 1 where there are none.
  ///   - longest: the longest sequence, in tokens.
  /// - Throws: what `requireSame` throws for a model with another tokenizer or template.
  init(
    _ context: StageContext, policy: (name: String, model: CausalLM), others: [String],
    weights: [Float], encoder: ConversationEncoder, longest: Int, cache: ReferenceCache
  ) throws {
    self.weights = weights
    self.cache = cache
    self.context = context
    template = encoder.fingerprint
    guard !others.isEmpty else {
      models = [
        ReferenceModel(
          name: policy.name, weights: try weightsFingerprint(of: context.artifact(policy.name)),
          hasAdapter: policy.model.adapter != nil, load: { policy.model })
      ]
      return
    }
    models = try others.map { name in
      let folder = try context.artifact(name)
      try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: folder))
        .requireSame(as: encoder)
      return ReferenceModel(
        name: name, weights: try weightsFingerprint(of: folder), hasAdapter: false,
        load: { try loadPolicy(context, name, longest: longest).model })
    }
  }

  /// Sums of token log-probabilities of all responses, groups in order.
  ///
  /// Under the one reference that all of them with their weights amount to (MRPO, arXiv 2405.16388, eq. 8).
  /// - Throws: `RolloutError.notFinite`, or `RunInterruption` between two parts that are kept.
  func sums(of groups: [TokenGroup]) throws -> [[Float]] {
    let counts = groups.map(\.responses.count)
    let all = try models.map { try sums(of: groups, under: $0) }
    let merged = all.count == 1 ? all[0] : mergedReference(all, weights: weights)
    var next = 0
    return counts.map { count in
      defer { next += count }
      return Array(merged[next..<next + count])
    }
  }

  /// The same under one model, end to end.
  private func sums(of groups: [TokenGroup], under model: ReferenceModel) throws -> [Float] {
    let parts = BatchPlan.filled(
      Array(groups.indices), costs: groups.map(\.tokenCount), budget: Self.partTokens)
    var loaded: CausalLM?
    var result: [Float] = []
    for (number, part) in parts.enumerated() {
      let own = part.map { groups[$0] }
      let count = own.reduce(0) { $0 + $1.responses.count }
      result += try cache.numbers(key(own, model), count: count) {
        // Not before the first part: a stage that is stopped at once must get further when resumed.
        if number > 0, loaded != nil { try context.stopIfInterrupted() }
        if loaded == nil {
          context.note("reference log-probabilities under '\(model.name)'")
          loaded = try model.load()
          loaded?.parameters.isFrozen = true
        }
        defer { if parts.count > 1 { context.progress(number + 1, of: parts.count) } }
        guard let loaded else { return [] }
        return try Self.compute(own, loaded, name: model.name)
      }
    }
    return result
  }

  private func key(_ groups: [TokenGroup], _ model: ReferenceModel) -> ReferenceCache.Key {
    ReferenceCache.Key(
      content: "log-probabilities 1\(model.hasAdapter ? ", with an adapter" : "")",
      weights: model.weights, template: template, data: Self.fingerprint(groups),
      threads: context.threads)
  }

  private static func compute(
    _ groups: [TokenGroup], _ model: CausalLM, name: String
  ) throws -> [Float] {
    var sums: [Float] = []
    for run in BatchPlan.filled(
      Array(groups.indices), costs: groups.map(\.tokenCount), budget: batchTokens)
    {
      let batch = PackedBatch(run.map { groups[$0] })
      sums += batch.logprobs(model).segmentSum(lengths: batch.targetCounts).scalars
    }
    if let place = sums.firstIndex(where: { !$0.isFinite }) {
      throw RolloutError.notFinite(
        group: place, response: 0, what: "the log-probability under the reference '\(name)'")
    }
    return sums
  }

  static func fingerprint(_ groups: [TokenGroup]) -> String {
    var result = Fingerprint()
    for group in groups {
      result.add(group.prompt)
      result.add([Int32(group.responses.count)])
      for response in group.responses { result.add(response) }
    }
    return result.text
  }
}
