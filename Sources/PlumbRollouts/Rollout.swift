public import PlumbTokenizers

/// Why a response ended.
public enum FinishReason: String, Codable, Hashable, Sendable {
  /// A stop token was sampled; it is the response's last token.
  case stop
  /// The limit of new tokens or of the context was reached.
  case length
}

/// One response to a prompt.
///
/// Arrays that are filled have one number per token, T.
public struct Rollout: Hashable, Sendable {
  /// Ids of the response, a stop token included where there is one, [T].
  public var tokens: [Int32]
  /// The response as text, without special tokens.
  public var text: String
  /// Why it ended.
  public var finishReason: FinishReason
  /// Log-probs under the policy that produced the tokens, [T]; empty for off-policy data.
  public var behaviourLogprobs: [Float] = []
  /// Log-probs under the frozen reference policy, [T]; empty until filled.
  public var referenceLogprobs: [Float] = []
  /// Value of the state before each token, [T]; empty until filled.
  public var values: [Float] = []
  /// The judge's score; nil until judged, or where the judge has only preferences.
  public var score: Float?
  /// Reward of each token, [T]; empty until filled.
  public var tokenRewards: [Float] = []
  /// Advantage of each token, [T]; empty until filled.
  public var advantages: [Float] = []
  /// Target of the value of each token, [T]; empty until filled.
  public var returns: [Float] = []

  /// Makes a response.
  public init(
    tokens: [Int32], text: String, finishReason: FinishReason, behaviourLogprobs: [Float] = []
  ) {
    self.tokens = tokens
    self.text = text
    self.finishReason = finishReason
    self.behaviourLogprobs = behaviourLogprobs
  }
}

/// A prompt and its K responses: the unit that judges compare and optimisers read.
public struct RolloutGroup: Hashable, Sendable {
  /// Names the group; unique within a buffer.
  public var id: String
  /// The conversation before the responses.
  public var prompt: [Message]
  /// Ids of the prompt.
  public var promptTokens: [Int32]
  /// The K responses; from a preference pair, chosen first and rejected second.
  public var responses: [Rollout]
  /// Log-odds that response i is preferred to j, [K][K], antisymmetric; nil until judged.
  public var preferenceLogits: [[Double]]?
  /// Name of the judge; nil until judged.
  public var judge: String?
  /// The known answer to the prompt, where there is one.
  public var answer: String?

  /// Makes a group.
  public init(
    id: String, prompt: [Message], promptTokens: [Int32], responses: [Rollout],
    preferenceLogits: [[Double]]? = nil, judge: String? = nil, answer: String? = nil
  ) {
    self.id = id
    self.prompt = prompt
    self.promptTokens = promptTokens
    self.responses = responses
    self.preferenceLogits = preferenceLogits
    self.judge = judge
    self.answer = answer
  }

  /// Tokens computed for the group: the prompt once and every response.
  public var tokenCount: Int { responses.reduce(promptTokens.count) { $0 + $1.tokens.count } }
}
