import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of DPO.
public struct DPOConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "dpo"

  /// The policy to start from, also the frozen reference.
  public var policy = ""
  /// Files of preference pairs.
  public var pairs: [String] = []
  /// The inverse strength of the tie to the reference.
  public var beta = 0.1
  /// The assumed share of flipped labels (cDPO).
  public var labelSmoothing = 0.0
  /// Passes over the pairs.
  public var epochs = 1.0
  /// Pairs in one optimizer step.
  public var batchPairs = 32
  /// The longest prompt plus response, in tokens; longer pairs are left out.
  public var maxLength = 384
  /// Steps between checkpoints.
  public var checkpointEvery = 20
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// The adapter to train in place of all weights.
  public var lora = AdapterConfiguration()
  /// The optimizer.
  public var optimizer = OptimizerConfiguration()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("policy", !policy.isEmpty, "a stage or a model folder", "nothing")
    try require("pairs", !pairs.isEmpty, "at least one file", "none")
    try requirePositive("beta", beta)
    try require(
      "label_smoothing", (0...0.499).contains(labelSmoothing), "a number from 0 to 0.499",
      labelSmoothing)
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: 0,
      microBatchTokens: microBatchTokens)
  }
}

/// Direct preference optimization on pairs, through the rollout buffer.
///
/// Rafailov et al. 2023, arXiv 2305.18290, eq. 7.
struct DPOStage: Stage {
  let configuration: DPOConfiguration

  var inputs: [String] { [configuration.policy] + configuration.pairs }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "DPO\(adapterNote(configuration.lora))", model: configuration.policy,
      train: configuration.pairs,
      batch: configuration.batchPairs, epochs: configuration.epochs,
      maxLength: configuration.maxLength)
  }

  func run(_ context: StageContext) throws -> StageResult {
    var (policy, encoder) = try loadPolicy(
      context, configuration.policy, longest: configuration.maxLength, adapter: configuration.lora)
    var buffer = try readPairs(context, encoder: encoder)
    context.note("reference log-probabilities of \(buffer.groups.count) pairs")
    buffer.fillReferenceLogprobs(model: policy)
    let pairs = try buffer.bestAndWorst()
    guard !pairs.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.pairs, why: "all answers are equal")
    }
    let plan = BatchPlan(
      costs: pairs.map { buffer.groups[$0.best.group].tokenCount },
      size: .examples(configuration.batchPairs), seed: context.seed)
    let loop = TrainingLoop(
      context: context, settings: configuration.optimizer,
      steps: plan.steps(epochs: configuration.epochs),
      checkpointEvery: configuration.checkpointEvery)
    try loop.run(&policy) { step, model, gradients in
      let batch = plan.examples(ofStep: step).map { pairs[$0] }
      return try dpoStep(batch, buffer: buffer, model: model, gradients: &gradients)
    }
    try policy.write(to: context.directory, encoder: encoder)
    return try policyResult(
      context, policy, responses: configuration.batchPairs,
      metrics: [
        ("loss", "loss (nats/pair)", "nats"), ("rewards/accuracies", "accuracy", ""),
        ("rewards/margins", "margin", ""),
        ("logps/chosen", "log p(chosen) (nats/response)", "nats/response"),
      ])
  }

  private func readPairs(
    _ context: StageContext, encoder: ConversationEncoder
  ) throws -> RolloutBuffer {
    var rows: [PreferencePair] = []
    for file in configuration.pairs {
      rows += try DataFile.preferencePairs(context.artifact(file)).rows
    }
    let (buffer, dropped) = RolloutBuffer.pairs(
      rows, encoder: encoder, origin: configuration.pairs.joined(separator: ", "),
      maximumTokens: configuration.maxLength)
    if dropped > 0 {
      context.note(
        "\(dropped) of \(rows.count) pairs are longer than \(configuration.maxLength) tokens and left out"
      )
    }
    guard !buffer.groups.isEmpty else {
      throw DataError(
        .noUsableRows, file: configuration.pairs.joined(separator: ", "),
        "no pair fits into max_length",
        expected: "at least one pair of at most \(configuration.maxLength) tokens",
        found: "\(rows.count) longer pairs")
    }
    return buffer
  }

  private func dpoStep(
    _ batch: [BestAndWorst], buffer: RolloutBuffer, model: CausalLM,
    gradients: inout GradientBlock
  ) throws -> StepOutcome {
    var mean = StatisticsMean()
    var tokens = 0
    let runs = BatchPlan.filled(
      Array(batch.indices), costs: batch.map { buffer.groups[$0.best.group].tokenCount },
      budget: configuration.microBatchTokens)
    for run in runs {
      let pairs = run.map { batch[$0] }
      let packed = buffer.batch(pairs.flatMap { [$0.best, $0.worst] })
      let sums = packed.sequenceLogprobs(packed.logprobs(model: model).logprobs)
      let index = Dictionary(uniqueKeysWithValues: packed.places.enumerated().map { ($1, $0) })
      let best = pairs.map { index[$0.best, default: 0] }
      let worst = pairs.map { index[$0.worst, default: 0] }
      func reference(_ place: ResponsePlace) -> Float {
        buffer[place].referenceLogprobs.reduce(0, +)
      }
      let objective = dpo(
        policyChosen: sums.elements(at: best), policyRejected: sums.elements(at: worst),
        referenceChosen: pairs.map { reference($0.best) },
        referenceRejected: pairs.map { reference($0.worst) }, beta: Float(configuration.beta),
        labelSmoothing: Float(configuration.labelSmoothing), batchCount: batch.count)
      gradients.accumulate(objective.loss)
      // The objective's own loss is its share of the batch; the log wants the mean.
      mean.add(
        objective.statistics.merging(
          ["loss": Double(objective.loss.item) * Double(batch.count) / Double(pairs.count)]
        ) { $1 }, count: pairs.count)
      tokens += packed.tokens.count
    }
    return StepOutcome(statistics: mean.means, tokens: tokens)
  }
}
