public import PlumbTokenizers

/// A preference model that can judge: what it says of K responses to one prompt.
public protocol JudgingModel: Sendable {
  /// What a judge of this kind is called where it is given no name.
  static var judgeName: String { get }
  /// Where it reads a sequence.
  var readout: Readout { get }
  /// Judges groups of distinct responses.
  /// - Throws: `PreferenceError` naming the group that cannot be read.
  func judgements(
    of groups: [PreferenceGroup], tokenBudget: Int, name: String
  ) throws -> [Judgement]
}

/// A preference model as judge.
public struct ModelJudge<Model: JudgingModel>: Judge {
  /// Name of the judge.
  public let name: String
  /// The model, frozen.
  public let model: Model
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
    model: Model, encoder: ConversationEncoder, policy: ConversationEncoder,
    name: String = Model.judgeName
  ) throws {
    // Ids or a chat template that the model would misread.
    try encoder.requireSame(as: policy)
    if case .firstEndOfText(let id) = model.readout, Int(id) != encoder.endOfText {
      throw PreferenceError.endOfTextDiffers(model: Int(id), tokenizer: encoder.endOfText)
    }
    self.model = model
    self.name = name
  }

  /// Equal responses of a group are computed once, so that they are judged equal to the bit.
  /// - Throws: `PreferenceError` naming the group that cannot be read.
  public func judge(groups: [JudgeGroup]) throws -> [Judgement] {
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
    return zip(
      try model.judgements(of: distinct, tokenBudget: tokenBudget, name: name), places
    ).map { $0.responses(at: $1) }
  }
}

extension Judgement {
  /// The judgement of the responses at some places, which may repeat.
  fileprivate func responses(at places: [Int]) -> Judgement {
    Judgement(
      preferenceLogits: places.map { i in places.map { preferenceLogits[i][$0] } },
      scores: scores.map { scores in places.map { scores[$0] } }, source: source)
  }
}

/// A reward model as judge: s(i > j) = r_i - r_j.
public typealias RewardModelJudge = ModelJudge<RewardModel>
/// A general preference model as judge: log-odds s(i > j) / tau, possibly cyclic, no scores.
public typealias GeneralPreferenceJudge = ModelJudge<GeneralPreferenceModel>
/// A pair model as judge: log-odds of every pair, possibly cyclic, no scores.
public typealias PairPreferenceJudge = ModelJudge<PairPreferenceModel>

extension RewardModel: JudgingModel {
  /// `reward-model`.
  public static var judgeName: String { "reward-model" }

  /// Scores are normalised where the model is; log-odds are differences of raw rewards.
  /// - Throws: `PreferenceError` naming the group that cannot be scored.
  public func judgements(
    of groups: [PreferenceGroup], tokenBudget: Int, name: String
  ) throws -> [Judgement] {
    try rawScores(groups: groups, tokenBudget: tokenBudget).map { rewards in
      Judgement(
        scores: rewards.map { Double(normalisation?($0) ?? $0) },
        logitScores: rewards.map(Double.init), source: name)
    }
  }
}

extension GeneralPreferenceModel: JudgingModel {
  /// `general-preference-model`.
  public static var judgeName: String { "general-preference-model" }

  /// K forward passes give the K x K table.
  /// - Throws: `PreferenceError` naming the group that cannot be embedded.
  public func judgements(
    of groups: [PreferenceGroup], tokenBudget: Int, name: String
  ) throws -> [Judgement] {
    try embeddings(groups: groups, tokenBudget: tokenBudget).map {
      Judgement(preferenceLogits: $0.preferenceLogits(tau: tau), source: name)
    }
  }
}

extension PairPreferenceModel: JudgingModel {
  /// `pair-model`.
  public static var judgeName: String { "pair-model" }

  /// K (K - 1) / 2 pairs in one or both orders give the K x K table.
  /// - Throws: `PreferenceError` naming the group that cannot be read.
  public func judgements(
    of groups: [PreferenceGroup], tokenBudget: Int, name: String
  ) throws -> [Judgement] {
    try preferenceLogits(groups: groups, tokenBudget: tokenBudget).map {
      Judgement(preferenceLogits: $0, source: name)
    }
  }
}
