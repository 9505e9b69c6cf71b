public import PlumbTokenizers

/// A reward model as judge: s(i > j) = r_i - r_j.
public struct RewardModelJudge: Judge {
  /// Name of the judge.
  public let name: String
  /// The model, frozen.
  public let model: RewardModel
  /// Tokens computed at once.
  public var tokenBudget = 4096

  /// Makes a judge.
  /// - Parameters:
  ///   - model: its weights are only read.
  ///   - encoder: the tokenizer and template that the model was trained with.
  ///   - policy: those of the policy to be judged.
  ///   - name: for provenance.
  /// - Throws: if tokenizer or template of model and policy differ, or the model reads at another
  ///   token than the one that ends a text.
  public init(
    model: RewardModel, encoder: ConversationEncoder, policy: ConversationEncoder,
    name: String = "reward-model"
  ) throws {
    try requireFit(encoder, to: policy, readout: model.readout)
    self.model = model
    self.name = name
  }

  /// Scores are normalised where the model is; log-odds are differences of raw rewards.
  /// - Throws: `PreferenceError` naming the group that cannot be scored.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    let (distinct, places) = deduplicated(groups)
    let raw = try model.rawScores(groups: distinct, tokenBudget: tokenBudget)
    return zip(raw, places).map { scores, places in
      let rewards = places.map { scores[$0] }
      return Judgement(
        scores: rewards.map { Double(model.normalisation?($0) ?? $0) },
        logitScores: rewards.map(Double.init), source: name)
    }
  }
}

/// A general preference model as judge: log-odds s(i > j) / tau, possibly cyclic, no scores.
public struct GeneralPreferenceJudge: Judge {
  /// Name of the judge.
  public let name: String
  /// The model, frozen.
  public let model: GeneralPreferenceModel
  /// Tokens computed at once.
  public var tokenBudget = 4096

  /// Makes a judge.
  /// - Parameters:
  ///   - model: its weights are only read.
  ///   - encoder: the tokenizer and template that the model was trained with.
  ///   - policy: those of the policy to be judged.
  ///   - name: for provenance.
  /// - Throws: if tokenizer or template of model and policy differ, or the model reads at another
  ///   token than the one that ends a text.
  public init(
    model: GeneralPreferenceModel, encoder: ConversationEncoder, policy: ConversationEncoder,
    name: String = "general-preference-model"
  ) throws {
    try requireFit(encoder, to: policy, readout: model.readout)
    self.model = model
    self.name = name
  }

  /// K forward passes give the K x K table.
  /// - Throws: `PreferenceError` naming the group that cannot be embedded.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    let (distinct, places) = deduplicated(groups)
    let embeddings = try model.embeddings(groups: distinct, tokenBudget: tokenBudget)
    return zip(embeddings, places).map { embeddings, places in
      let table = embeddings.preferenceLogits(tau: model.tau)
      return Judgement(
        preferenceLogits: places.map { i in places.map { table[i][$0] } }, source: name)
    }
  }
}

/// A pair model as judge: log-odds of every pair, possibly cyclic, no scores.
public struct PairPreferenceJudge: Judge {
  /// Name of the judge.
  public let name: String
  /// The model, frozen.
  public let model: PairPreferenceModel
  /// Tokens computed at once.
  public var tokenBudget = 4096

  /// Makes a judge.
  /// - Parameters:
  ///   - model: its weights are only read.
  ///   - encoder: the tokenizer and template that the model was trained with.
  ///   - policy: those of the policy to be judged.
  ///   - name: for provenance.
  /// - Throws: if tokenizer or template of model and policy differ, or the model reads at another
  ///   token than the one that ends a text.
  public init(
    model: PairPreferenceModel, encoder: ConversationEncoder, policy: ConversationEncoder,
    name: String = "pair-model"
  ) throws {
    try requireFit(encoder, to: policy, readout: model.readout)
    self.model = model
    self.name = name
  }

  /// K (K - 1) / 2 pairs in one or both orders give the K x K table.
  /// - Throws: `PreferenceError` naming the group that cannot be read.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
    let (distinct, places) = deduplicated(groups)
    let tables = try model.preferenceLogits(groups: distinct, tokenBudget: tokenBudget)
    return zip(tables, places).map { table, places in
      Judgement(
        preferenceLogits: places.map { i in places.map { table[i][$0] } }, source: name)
    }
  }
}

/// Refuses a policy whose ids or chat template a preference model would misread.
private func requireFit(
  _ encoder: ConversationEncoder, to policy: ConversationEncoder, readout: Readout
) throws {
  try encoder.requireSame(as: policy)
  if case .firstEndOfText(let id) = readout, Int(id) != encoder.endOfText {
    throw PreferenceError.endOfTextDiffers(model: Int(id), tokenizer: encoder.endOfText)
  }
}

/// Groups whose equal responses are computed once, so that they are judged equal to the bit.
private func deduplicated(
  _ groups: [JudgeGroup]
) -> (groups: [PreferenceGroup], places: [[Int]]) {
  var places: [[Int]] = []
  let distinct = groups.map { group in
    var seen: [[Int32]: Int] = [:]
    var responses: [[Int32]] = []
    places.append(
      group.tokens.responses.map { response in
        if let place = seen[response] { return place }
        seen[response] = responses.count
        responses.append(response)
        return responses.count - 1
      })
    return PreferenceGroup(prompt: group.tokens.prompt, responses: responses)
  }
  return (distinct, places)
}
