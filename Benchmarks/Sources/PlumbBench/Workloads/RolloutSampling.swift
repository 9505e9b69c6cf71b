import PlumbModels
import PlumbPreferences
import PlumbRecipes
import PlumbRollouts

/// The sampling half of an on-line update: fixed random prompts and the size of a response.
struct RolloutSampling {
  let prompts: [[Int32]]
  /// Responses to each prompt.
  let responses: Int
  let options: SamplingOptions

  init(_ model: CausalLM, _ sizes: Specification.Workload, responses: Int, purpose: String) throws {
    let length = try sizes.require(\.prompt, "prompt")
    var tokens = RandomTokens(model, purpose: purpose)
    prompts = try (0..<sizes.require(\.prompts, "prompts")).map { _ in tokens.sequence(length) }
    options = SamplingOptions(maximumNewTokens: try sizes.require(\.newTokens, "new_tokens"))
    self.responses = responses
  }

  /// The responses of `policy` in a buffer, as yet without scores, and the same groups as a judge reads them.
  func sample(_ policy: CausalLM, step: Int) throws -> (RolloutBuffer, [PreferenceGroup]) {
    let engine = try SamplingEngine(
      model: policy, stopTokens: [], options: options, maximumRows: prompts.count * responses)
    let sampled = try engine.sample(prompts: prompts, count: responses, step: step)
    let buffer = RolloutBuffer(
      groups: prompts.indices.map { index in
        RolloutGroup(
          id: "\(index)", prompt: [], promptTokens: prompts[index],
          responses: sampled[index].map { response in
            Rollout(
              tokens: response.tokens, text: "", finishReason: response.finishReason,
              behaviourLogprobs: response.logprobs)
          })
      },
      provenance: RolloutBuffer.Provenance(
        source: .sampled, origin: "benchmark", step: step, sampling: options))
    let groups = zip(prompts, sampled).map { prompt, responses in
      PreferenceGroup(prompt: prompt, responses: responses.map(\.tokens))
    }
    return (buffer, groups)
  }
}
