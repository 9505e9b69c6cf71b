import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of GPO.
public struct GPOConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "gpo"

  /// The policy to start from.
  public var policy = ""
  /// The judge: a general preference model or a reward model.
  public var judge = ""
  /// Files of prompts.
  public var prompts: [String] = []
  /// Rounds; each takes the policy of the round before as its reference.
  public var iterations = 6
  /// Prompts in one round.
  public var promptsPerIteration = 32
  /// Responses to each prompt, K.
  public var responses = 4
  /// How responses are sampled.
  public var sampling = SamplingConfiguration()
  /// The step size of the game is 1 / beta.
  public var beta = 1.0
  /// Whether a response's own comparison, which is 0, counts in its mean over the K opponents.
  public var includeSelf = true
  /// Whether log-ratios are divided by the response's length (LN-GPO).
  public var lengthNormalize = false
  /// The largest size of a target log-ratio, in nats; 0 for no bound.
  public var targetBound = 0.0
  /// Passes over the responses of a round.
  public var epochs = 1
  /// Prompts in one optimizer step.
  public var batchPrompts = 8
  /// Rounds between checkpoints.
  public var checkpointEvery = 1
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer; its schedule runs over all optimizer steps.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try require("judge", !judge.isEmpty, "a stage or a model folder", "nothing")
    try require("prompts", !prompts.isEmpty, "at least one file", "none")
    try require("responses", (2...1000).contains(responses), "an integer from 2 to 1000", responses)
    for (name, value) in [
      ("iterations", iterations), ("prompts_per_iteration", promptsPerIteration),
      ("epochs", epochs), ("batch_prompts", batchPrompts),
    ] { try requireCount(name, value) }
    try requirePositive("beta", beta)
    try require(
      "target_bound", (0...1e6).contains(targetBound), "a number from 0 to 1000000", targetBound)
  }
}

/// General Preference Optimization: policies that play against their own samples.
///
/// The squared loss of arXiv 2410.02197, eq. 5.3, with log Z taken as 0, moves log pi / pi_t towards the mean preference score over K sampled opponents, divided by beta.
///
/// Not *Generalized* Preference Optimization (arXiv 2402.05749).
struct GPOStage: Stage {
  let configuration: GPOConfiguration

  var inputs: [String] {
    [configuration.policy, configuration.judge] + configuration.prompts
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let responses =
      configuration.iterations * configuration.promptsPerIteration * configuration.responses
    return policyPlan(
      "\(configuration.iterations) rounds of \(configuration.promptsPerIteration) prompts, \(configuration.responses) responses each\(adapterNote(configuration.lora))",
      parameters: try parameterCount(context, model: configuration.policy), responses: responses,
      newTokens: configuration.sampling.maxNewTokens, trainingPasses: configuration.epochs)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let (start, encoder) = try loadPolicy(
      context, configuration.policy, adapter: configuration.lora)
    let (judge, judgeConfiguration) = try modelJudge(
      context, configuration.judge, policy: encoder)
    let prompts = try policyPrompts(
      context, configuration.prompts, encoder: encoder,
      models: [start.configuration, judgeConfiguration],
      newTokens: configuration.sampling.maxNewTokens)
    let plan = BatchPlan(
      costs: prompts.map(\.tokens.count), size: .examples(configuration.promptsPerIteration),
      seed: context.seed, dropsRemainder: true)
    var reference = start
    reference.parameters.isFrozen = true
    var state = State(policy: start, configuration: configuration, prompts: prompts.count)
    let first = try context.resume { try state.load($0) }
    for iteration in first..<max(first, configuration.iterations + 1) {
      let chosen = plan.examples(ofStep: iteration).map { prompts[$0] }
      var buffer = try RolloutBuffer.sample(
        policy: state.policy, prompts: chosen.map { ($0.id, $0.messages) }, encoder: encoder,
        count: configuration.responses,
        options: configuration.sampling.options(seed: context.seed), step: iteration)
      try buffer.judge(by: judge, encoder: encoder)
      let metrics = try improve(
        &state, buffer: &buffer, reference: reference, iteration: iteration, seed: context.seed)
      try context.finishStep(
        iteration, of: configuration.iterations, metrics: metrics, loss: metrics["loss"],
        tokens: buffer.groups.reduce(0) { $0 + $1.tokenCount } * (1 + configuration.epochs),
        checkpointEvery: configuration.checkpointEvery
      ) { try state.save($0) }
    }
    try state.policy.write(to: context.directory, encoder: encoder)
    return try policyResult(
      context, state.policy,
      responses: configuration.promptsPerIteration * configuration.responses,
      metrics: [
        ("loss", "loss (nats²)", "nats²"),
        ("gpo/score_std", "spread of the mean preference (nats)", "nats"),
        ("objective/kl", "KL from the reference (nats/response)", "nats/response"),
        ("completions/mean_length", "length (tokens)", "tokens"),
      ])
  }

  /// One round: targets from the preference table, then the squared loss over all minibatches.
  private func improve(
    _ state: inout State, buffer: inout RolloutBuffer, reference: CausalLM, iteration: Int,
    seed: UInt64
  ) throws -> [String: Double] {
    buffer.recomputeLogprobs(policy: state.policy)
    buffer.fillReferenceLogprobs(model: reference)
    var metrics = buffer.statistics()
    let means = try buffer.opponentMeans(includingSelf: configuration.includeSelf)
    let scores = Dictionary(uniqueKeysWithValues: zip(buffer.places, means))
    metrics["gpo/score_std"] = standardDeviation(means)

    var mean = StatisticsMean()
    for pass in 0..<configuration.epochs {
      var stream = RandomStream(seed: seed, purpose: "gpo/minibatches", step: iteration, row: pass)
      let groups = stream.permutation(buffer.groups.count)
      for start in stride(from: 0, to: groups.count, by: configuration.batchPrompts) {
        let chosen = groups[start..<min(groups.count, start + configuration.batchPrompts)]
        let places = chosen.flatMap { group in
          buffer.groups[group].responses.indices.map { ResponsePlace(group: group, response: $0) }
        }
        mean.add(try step(&state, buffer: buffer, places: places, scores: scores), count: 1)
      }
    }
    metrics.merge(mean.means) { $1 }
    return metrics
  }

  private func step(
    _ state: inout State, buffer: RolloutBuffer, places: [ResponsePlace],
    scores: [ResponsePlace: Float]
  ) throws -> [String: Double] {
    state.gradients.reset()
    var statistics: [String: Double] = [:]
    do {
      // The graph must be gone before the weights are written, or the write would copy them.
      let batch = buffer.batch(places)
      let logprobs = batch.logprobs(
        model: state.policy, temperature: buffer.logprobTemperature
      ).logprobs
      let old = try buffer.values(of: .behaviourLogprobs, in: batch)
      let objective = gpo(
        logRatio: batch.sequenceLogprobs(logprobs - Tensor(old)),
        preferenceScores: batch.places.map { scores[$0, default: 0] },
        beta: Float(configuration.beta),
        lengths: configuration.lengthNormalize ? batch.lengths : nil,
        targetBound: configuration.targetBound > 0 ? Float(configuration.targetBound) : nil)
      state.gradients.accumulate(objective.loss)
      statistics = objective.statistics
      statistics["loss"] = Double(objective.loss.item)
    }
    state.move(&statistics)
    return statistics
  }

  /// Everything that a round changes.
  private struct State {
    var policy: CausalLM
    var optimizer: AdamW
    var gradients: GradientBlock
    let rates: LearningRates

    init(policy: CausalLM, configuration: GPOConfiguration, prompts: Int) {
      self.policy = policy
      self.policy.checkpointsLayers = configuration.optimizer.gradientCheckpointing
      optimizer = AdamW(configuration.optimizer.adamW, for: policy.parameters.trainable)
      gradients = GradientBlock(for: policy.parameters.trainable)
      let round = min(prompts, configuration.promptsPerIteration)
      let batches = (round + configuration.batchPrompts - 1) / configuration.batchPrompts
      rates = configuration.optimizer.learningRates(
        steps: configuration.iterations * configuration.epochs * batches)
    }

    /// One optimizer step; adds `grad_norm` (before clipping), `learning_rate` and `skipped_steps`, the
    /// share of steps left out because a gradient was not finite.
    mutating func move(_ statistics: inout [String: Double]) {
      let rate = rates.learningRate(at: optimizer.step)
      let update = policy.parameters.withTrainable {
        optimizer.update(&$0, gradients: gradients, learningRate: rate)
      }
      statistics["grad_norm"] = update.gradientNorm
      statistics["learning_rate"] = Double(rate)
      statistics["skipped_steps"] = update.isSkipped ? 1 : 0
    }

    func save(_ folder: URL) throws {
      try policy.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
      try optimizer.write(to: folder.appending(path: "optimizer.safetensors"))
    }

    mutating func load(_ folder: URL) throws {
      try policy.parameters.withTrainable {
        try $0.read(from: folder.appending(path: "parameters.safetensors"))
      }
      optimizer = try AdamW(
        contentsOf: folder.appending(path: "optimizer.safetensors"),
        configuration: optimizer.configuration, for: policy.parameters.trainable)
    }
  }
}

/// The standard deviation over all values; 0 for none.
func standardDeviation(_ values: [Float]) -> Double {
  guard !values.isEmpty else { return 0 }
  let mean = values.reduce(0.0) { $0 + Double($1) } / Double(values.count)
  let squares = values.reduce(0.0) { $0 + (Double($1) - mean) * (Double($1) - mean) }
  return (squares / Double(values.count)).squareRoot()
}
