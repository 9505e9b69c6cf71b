import PlumbTensors

/// Settings of trainings whose gradient is the expectation over an enumerated world.
public struct TruthExactConfiguration: ConfigurationSection {
  /// Optimizer steps.
  public var steps = 800
  /// PPO's steps on the advantages of one policy, so that its clipping has something to clip.
  public var passes = 2
  /// Decay of generalized advantage estimation; the value of every state is exact.
  public var gaeLambda = 0.95
  /// PPO's clip range.
  public var clip = 0.2
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults: Adam without decay or clipping, its rate falling to 0.
  public init() {
    optimizer.learningRate = 0.05
    optimizer.warmupFraction = 0
    optimizer.maxGradNorm = 1e6
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try requireCount("steps", steps)
    try requireCount("passes", passes)
    try require("gae_lambda", (0...1).contains(gaeLambda), "a number from 0 to 1", gaeLambda)
    try require("clip", (1e-6..<1).contains(clip), "a number above 0 and below 1", clip)
  }
}

/// Settings of trainings on samples.
public struct TruthSampledConfiguration: ConfigurationSection {
  /// Rounds of sampling.
  public var steps = 1500
  /// Responses to each prompt in a round, K, where a method samples groups.
  public var responses = 64
  /// Pairs, or labelled responses, of each prompt in a round, where a method reads data.
  public var pairs = 256
  /// Trainings with other samples.
  public var seeds = 3
  /// PPO's passes over the responses of a round.
  public var passes = 2
  /// Parts that a pass is cut into.
  public var minibatches = 2
  /// Decay of generalized advantage estimation.
  public var gaeLambda = 0.95
  /// Whether PPO's advantages are brought to mean 0 and variance 1.
  public var whitenAdvantages = false
  /// PPO's clip range.
  public var clip = 0.2
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults: Adam without decay or clipping, its rate falling to 0.
  public init() {
    optimizer.learningRate = 0.03
    optimizer.warmupFraction = 0
    optimizer.maxGradNorm = 1e6
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    for (name, value) in [
      ("steps", steps), ("pairs", pairs), ("seeds", seeds), ("passes", passes),
      ("minibatches", minibatches),
    ] { try requireCount(name, value) }
    try require(
      "responses", (2...100_000).contains(responses), "an integer from 2 to 100000", responses)
    try require("gae_lambda", (0...1).contains(gaeLambda), "a number from 0 to 1", gaeLambda)
    try require("clip", (1e-6..<1).contains(clip), "a number above 0 and below 1", clip)
  }
}

/// Settings of a causal language model in a token world.
public struct TruthLanguageModelConfiguration: ConfigurationSection {
  /// Methods that train it on samples; none leaves it out.
  public var methods: [TruthMethod] = []
  /// Width of the residual stream.
  public var hiddenSize = 32
  /// Number of layers.
  public var layers = 2
  /// Steps that bring it close to the table's reference, before it is the reference itself.
  public var fittingSteps = 300
  /// The trainings on samples.
  public var sampled = TruthSampledConfiguration()

  /// The defaults.
  public init() {
    sampled.steps = 300
    sampled.optimizer.learningRate = 2e-3
    sampled.optimizer.maxGradNorm = 1
  }

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("methods", Set(methods).count == methods.count, "every method once", methods)
    try require(
      "hidden_size", (4...4096).contains(hiddenSize) && hiddenSize.isMultiple(of: 4),
      "a multiple of 4 up to 4096", hiddenSize)
    try require("layers", (1...100).contains(layers), "an integer from 1 to 100", layers)
    try requireCount("fitting_steps", fittingSteps)
  }
}

/// Settings of a bandit whose optimum is known.
public struct TruthBanditConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "truth-bandit"

  /// Prompts, each with arms of its own worth.
  public var prompts = 4
  /// Arms of each prompt.
  public var arms = 24
  /// Strength of the tie to the reference.
  public var beta = 0.5
  /// Deviation of the rewards under the reference.
  public var rewardSpread = 0.5
  /// Deviation of the reference's logits.
  public var referenceSpread = 0.7
  /// The methods.
  public var methods = TruthMethod.allCases
  /// Trainings with the exact gradient.
  public var exact = TruthExactConfiguration()
  /// Trainings on samples.
  public var sampled = TruthSampledConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try validateWorld(
      prompts: prompts, beta: beta, rewardSpread: rewardSpread, referenceSpread: referenceSpread,
      methods: methods)
    try require("arms", (2...1000).contains(arms), "an integer from 2 to 1000", arms)
  }
}

/// Settings of a world of short token sequences whose optimum is known.
public struct TruthTokensConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "truth-tokens"

  /// Prompts, each with rewards and a reference of its own.
  public var prompts = 2
  /// Tokens beside the end token.
  public var letters = 3
  /// The longest response, in tokens.
  public var longest = 4
  /// Strength of the tie to the reference.
  public var beta = 0.5
  /// Deviation of the rewards under the reference.
  public var rewardSpread = 0.5
  /// Deviation of the reference's logits in every state.
  public var referenceSpread = 0.5
  /// The methods of the table over prefixes.
  public var methods = TruthMethod.allCases
  /// Trainings of the table with the exact gradient.
  public var exact = TruthExactConfiguration()
  /// Trainings of the table on samples.
  public var sampled = TruthSampledConfiguration()
  /// A causal language model in the same world.
  public var languageModel = TruthLanguageModelConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try validateWorld(
      prompts: prompts, beta: beta, rewardSpread: rewardSpread, referenceSpread: referenceSpread,
      methods: methods)
    try require("letters", (1...20).contains(letters), "an integer from 1 to 20", letters)
    try require("longest", (1...12).contains(longest), "an integer from 1 to 12", longest)
    var responses = 1
    for _ in 0..<longest where responses <= 5000 { responses = responses * letters + 1 }
    try require(
      "longest", responses <= 5000, "at most 5000 responses in all", "more, with \(letters) letters"
    )
  }
}

private func validateWorld(
  prompts: Int, beta: Double, rewardSpread: Double, referenceSpread: Double, methods: [TruthMethod]
) throws {
  try require("prompts", (1...100).contains(prompts), "an integer from 1 to 100", prompts)
  try require("beta", (0.01...1).contains(beta), "a number from 0.01 to 1", beta)
  try require(
    "reward_spread", (0.001...100).contains(rewardSpread), "a number from 0.001 to 100",
    rewardSpread)
  try require(
    "reward_spread", rewardSpread / beta <= 5, "at most 5 beta, or π* is one response",
    rewardSpread)
  try require(
    "reference_spread", (0...5).contains(referenceSpread), "a number from 0 to 5", referenceSpread)
  try require("methods", Set(methods).count == methods.count, "every method once", methods)
}
