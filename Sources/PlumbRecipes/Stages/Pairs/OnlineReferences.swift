import PlumbModels
import PlumbObjectives
import PlumbRollouts

/// The frozen models that pairs of sampled responses are compared with, and that give answers to hold on to.
///
/// Unlike `ReferenceLogprobs` it keeps nothing on disk: no round sees the pairs of another.
struct OnlineReferences {
  /// With their names in the recipe; none for the policy that the stage started from.
  var models: [(name: String, model: CausalLM)] = []
  /// One for each model, positive, with sum 1.
  var weights: [Float] = [1]
  /// Ids that end an answer.
  var stopTokens: Set<Int> = []

  /// The same, with the policy that the stage started from where no model is named.
  func orStart(_ name: String, _ start: CausalLM) -> OnlineReferences {
    guard models.isEmpty else { return self }
    return OnlineReferences(models: [(name, start)], weights: [1], stopTokens: stopTokens)
  }

  /// Samples one answer of the first model to the prompt of each pair.
  ///
  /// What is drawn depends on the seed of the options, the round and the row alone.
  /// - Parameters:
  ///   - pairs: get the answers as `base`.
  ///   - options: how answers are drawn, and their longest.
  ///   - update: number of the round.
  ///   - firstRow: number of the first answer among the responses of the round.
  /// - Throws: `RolloutError` where the logits are not finite.
  func answer(
    _ pairs: inout [PolicyPair], options: SamplingOptions, update: Int, firstRow: Int
  ) throws {
    guard let first = models.first else { return }
    let answers = try SamplingEngine(
      model: first.model, stopTokens: stopTokens, options: options
    ).sample(prompts: pairs.map(\.prompt), step: update, firstRow: firstRow)
    for (index, answer) in answers.enumerated() { pairs[index].base = answer[0].tokens }
  }

  /// Fills the sums of log-probabilities under the one reference that the models amount to.
  ///
  /// See `mergedReference`. The models read the responses as the step does, at its temperature.
  /// - Throws: `RolloutError.notFinite` naming the number of the pair, the response (chosen, rejected,
  ///   answer) and the model.
  func fill(_ pairs: inout [PolicyPair], step: PairStep) throws {
    let count = pairs.count
    let all = try models.map { name, model in
      let sums = step.sums(of: pairs, model: model)
      let values = sums.chosen + sums.rejected + (sums.base ?? [])
      if let place = values.firstIndex(where: { !$0.isFinite }) {
        throw RolloutError.notFinite(
          group: place % count, response: place / count,
          what: "the log-probability under the reference '\(name)'")
      }
      return values
    }
    let merged = mergedReference(all, weights: weights)
    for index in pairs.indices {
      pairs[index].reference.chosen = merged[index]
      pairs[index].reference.rejected = merged[count + index]
      if merged.count > 2 * count { pairs[index].reference.base = merged[2 * count + index] }
    }
  }
}
