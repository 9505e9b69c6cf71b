import Foundation
import PlumbData
import PlumbModels
public import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTokenizers

/// Settings of preference optimization on pairs.
public struct DPOConfiguration: StageConfiguration, PairReferenceConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "dpo"

  /// The policy to start from, also the frozen reference where no other is named.
  public var policy = ""
  /// Files of preference pairs.
  public var pairs: [String] = []
  /// Files of pairs whose loss decides which weights are kept; none keeps the last.
  public var validation: [String] = []
  /// The loss.
  public var loss = PairLoss.sigmoid
  /// Further losses on the same pairs, with their weights; the main one has weight 1.
  public var extraLosses: [String: Double] = [:]
  /// The inverse strength of the tie to the reference, or the scale of the margin.
  public var beta = 0.1
  /// The assumed share of flipped labels; 0 where the loss does not read it.
  public var labelSmoothing = 0.0
  /// SimPO's target margin, after beta; 0 for other losses.
  public var margin = 0.0
  /// The weight of ORPO's odds ratio; 0 for other losses.
  public var lambda = 0.0
  /// The temperature of DiscoPOP's blend; 0 for other losses.
  public var tau = 0.0
  /// Whether log-ratios are divided by the length of the response.
  public var lengthNormalize = false
  /// The weight of the negative log-probability per token of the chosen responses.
  public var sftWeight = 0.0
  /// Models to compare the policy with in place of itself, as it was; several are merged.
  public var references: [String] = []
  /// How much each of `references` counts, of any sum; none counts them equally.
  public var referenceWeights: [Double] = []
  /// A folder that keeps reference log-probabilities for other runs; empty for one of this run.
  public var referenceCache = ""
  /// The weight of the tie to the reference's own answers (BAPO).
  public var anchorWeight = 0.0
  /// The longest of these answers, in tokens.
  public var anchorTokens = 64
  /// Passes over the pairs.
  public var epochs = 1.0
  /// Pairs in one optimizer step.
  public var batchPairs = 32
  /// The longest prompt plus response, in tokens; longer pairs are left out.
  public var maxLength = 384
  /// Validations over the whole training.
  public var validations = 4
  /// Steps between checkpoints.
  public var checkpointEvery = 20
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192
  /// Whether chosen and rejected response share one computation of their prompt.
  public var sharePrompts = true
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
    try validateLosses()
    try validateReferences()
    try requireReader("reference_cache", isUnset: referenceCache.isEmpty)
    try validatePairTraining(
      epochs: epochs, batch: batchPairs, maxLength: maxLength, validations: validations,
      microBatchTokens: microBatchTokens)
  }
}

/// Preference optimization on pairs of a file, through the rollout buffer.
///
/// Rafailov et al. 2023, arXiv 2305.18290, and the family of losses that `PairLoss` lists.
struct DPOStage: Stage {
  static let revision = 2
  let configuration: DPOConfiguration

  var inputs: [String] {
    [configuration.policy] + configuration.references + configuration.pairs
      + configuration.validation
  }

  static var product: StageProduct { .model(.language) }

  var models: [ModelUse] {
    ([configuration.policy] + configuration.references).map { ModelUse($0, as: .policy) }
  }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try pairTrainingPlan(
      context, what: "\(configuration.lossSummary)\(adapterNote(configuration.lora))",
      model: configuration.policy, train: configuration.pairs, batch: configuration.batchPairs,
      epochs: configuration.epochs, maxLength: configuration.maxLength)
  }

  func run(_ context: StageContext) throws -> StageResult {
    var (policy, encoder) = try loadPolicy(
      context, configuration.policy, longest: configuration.maxLength, adapter: configuration.lora)
    var train = try readPairs(context, configuration.pairs, encoder: encoder)
    guard !train.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.pairs, why: "all answers are equal")
    }
    var validation =
      configuration.validation.isEmpty || configuration.validations == 0
      ? [] : try readPairs(context, configuration.validation, encoder: encoder)
    try addReferences(to: &train, &validation, context: context, policy: policy, encoder: encoder)

    let (settings, heldOut) = (configuration.pairSettings, validation)
    let plan = BatchPlan(
      costs: train.map(\.tokenCount), size: .examples(configuration.batchPairs),
      seed: context.seed)
    let steps = plan.steps(epochs: configuration.epochs)
    let loop = TrainingLoop(
      context: context, settings: configuration.optimizer, steps: steps,
      checkpointEvery: configuration.checkpointEvery,
      evaluateEvery: configuration.validations > 0
        ? max(1, (steps + configuration.validations - 1) / configuration.validations) : 0)
    let step = PairStep(
      settings: settings, microBatchTokens: configuration.microBatchTokens,
      sharesPrompts: configuration.sharePrompts)
    let usesReference = settings.losses[0].loss.usesReference
    let watched = usesReference ? "rewards/chosen" : "logps/chosen"
    var watch = ChosenWatch(
      steps: steps, usesReference: usesReference,
      earlier: try context.series(watched).map(\.value))
    let best = try loop.run(
      &policy, validate: heldOut.isEmpty ? nil : { step.evaluate(heldOut, model: $0) }
    ) { number, model, gradients in
      let batch = plan.examples(ofStep: number).map { train[$0] }
      let outcome = step.accumulate(batch, model: model, gradients: &gradients)
      if let message = watch.add(outcome.statistics[watched] ?? .nan) { context.warn(message) }
      return outcome
    }
    try policy.write(to: context.directory, encoder: encoder)
    return try result(context, policy, pairs: train.count, validation: validation.count, best: best)
  }

  /// Fills what the losses read of the reference; nothing is computed where none reads it.
  private func addReferences(
    to train: inout [PolicyPair], _ validation: inout [PolicyPair], context: StageContext,
    policy: CausalLM, encoder: ConversationEncoder
  ) throws {
    guard configuration.pairSettings.usesReference else { return }
    let references = try ReferenceLogprobs(
      context, policy: (configuration.policy, policy), others: configuration.references,
      weights: configuration.mergeWeights, encoder: encoder, longest: configuration.maxLength,
      cache: try ReferenceCache(configuration.referenceCache, context: context))
    try fill(&train, references: references, encoder: encoder)
    try fill(&validation, references: references, encoder: encoder)
  }

  private func fill(
    _ pairs: inout [PolicyPair], references: ReferenceLogprobs, encoder: ConversationEncoder
  ) throws {
    for (index, sums) in try references.sums(of: pairs.map(\.group)).enumerated() {
      pairs[index].reference.chosen = sums[0]
      pairs[index].reference.rejected = sums[1]
    }
    if configuration.anchorWeight > 0 {
      try anchor(&pairs, references: references, encoder: encoder)
    }
  }

  /// Adds the reference's own answers, with their log-probabilities under it.
  private func anchor(
    _ pairs: inout [PolicyPair], references: ReferenceLogprobs, encoder: ConversationEncoder
  ) throws {
    let answers = try BaseResponses(
      to: pairs.map(\.prompt), tokens: configuration.anchorTokens, references: references,
      encoder: encoder)
    for index in pairs.indices { pairs[index].base = answers[pairs[index].prompt] }
    let sums = try references.sums(
      of: pairs.map { TokenGroup(prompt: $0.prompt, responses: [$0.base], example: 0) })
    for (index, sums) in sums.enumerated() { pairs[index].reference.base = sums[0] }
  }

  private func readPairs(
    _ context: StageContext, _ files: [String], encoder: ConversationEncoder
  ) throws -> [PolicyPair] {
    var rows: [PreferencePair] = []
    for file in files {
      rows += context.usable(try DataFile.preferencePairs(context.artifact(file)))
    }
    let origin = files.joined(separator: ", ")
    let (buffer, dropped) = RolloutBuffer.pairs(
      rows, encoder: encoder, origin: origin, maximumTokens: configuration.maxLength)
    if dropped > 0 {
      context.note(
        "\(dropped) of \(rows.count) pairs are longer than \(configuration.maxLength) tokens and left out"
      )
    }
    guard !buffer.groups.isEmpty else {
      throw DataError(
        .noUsableRows, file: origin, "no pair fits into max_length",
        expected: "at least one pair of at most \(configuration.maxLength) tokens",
        found: "\(rows.count) longer pairs")
    }
    return try buffer.bestAndWorst().map { PolicyPair($0, of: buffer) }
  }

  private func result(
    _ context: StageContext, _ policy: CausalLM, pairs: Int, validation: Int,
    best: (loss: Double, step: Int)?
  ) throws -> StageResult {
    var result = try policyResult(
      context, policy, responses: configuration.batchPairs,
      metrics: [
        ("loss", "loss (nats/pair)", "nats"), ("rewards/accuracies", "accuracy", ""),
        ("rewards/margins", "margin", ""), ("rewards/chosen", "reward of the chosen", ""),
        ("logps/chosen", "log p(chosen) (nats/response)", "nats/response"),
      ])
    result.figures.append(
      Figure("train_pairs", Double(pairs), unit: "pairs", sampleSize: pairs))
    return try result.addingBest(best, of: validation, unit: "nats/pair", context)
  }
}
