public import PlumbModels
public import PlumbTokenizers

extension RolloutBuffer {
  /// Fills a buffer by sampling K responses to each prompt.
  ///
  /// - Parameters:
  ///   - policy: the policy; only read.
  ///   - prompts: conversations with the ids of their groups.
  ///   - encoder: tokenizer and template of the policy; its stop tokens end responses.
  ///   - count: responses per prompt, K.
  ///   - options: how tokens are drawn.
  ///   - step: round of sampling; part of the key of the random numbers.
  ///   - origin: name of the policy.
  ///   - maximumRows: rows decoded at once.
  ///   - progress: called after every token of the batch; what it throws ends the sampling.
  /// - Throws: `RolloutError` naming the option or prompt at fault, also if the model's padding id is
  ///   the token that ends a turn.
  public static func sample(
    policy: CausalLM, prompts: [(id: String, messages: [Message])], encoder: ConversationEncoder,
    count: Int, options: SamplingOptions, step: Int = 0, origin: String = "policy",
    maximumRows: Int = 64, progress: ((SamplingEngine.Progress) throws -> Void)? = nil
  ) throws -> RolloutBuffer {
    try requirePadApart(
      padTokenID: policy.configuration.padTokenID, endOfTurn: encoder.response("").last)
    let engine = try SamplingEngine(
      model: policy, stopTokens: encoder.stopTokens, options: options, maximumRows: maximumRows)
    let ids = prompts.map { encoder.prompt($0.messages).map(Int32.init) }
    let sampled = try engine.sample(prompts: ids, count: count, step: step, progress: progress)
    let groups = prompts.indices.map { index in
      RolloutGroup(
        id: prompts[index].id, prompt: prompts[index].messages, promptTokens: ids[index],
        responses: sampled[index].map { response in
          Rollout(
            tokens: response.tokens,
            text: encoder.decodeResponse(response.tokens.map(Int.init)),
            finishReason: response.finishReason, behaviourLogprobs: response.logprobs)
        })
    }
    return RolloutBuffer(
      groups: groups,
      provenance: Provenance(source: .sampled, origin: origin, step: step, sampling: options))
  }
}
