import Foundation
import PlumbEvaluation
import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a reward model whose trunk stays as it is.
public struct RewardProbeConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "reward-probe"

  /// What it stands on: a language model, or a reward model whose last layer is fitted anew.
  public var model = ""
  /// The head of a fresh reward model: `worldpm`, whose first layer stays random, or `linear`.
  public var head = RewardHeadChoice.linear
  /// What the head reads behind a response, as in `reward-model`.
  public var ending = RewardEndingChoice.asModel
  /// Files of preference pairs to fit to.
  public var train: [String] = []
  /// Files whose loss decides the strength of the penalty.
  public var validation: [String] = []
  /// Files to measure the result on.
  public var test: [String] = []
  /// Sources of rows that are neither fitted to nor validated on.
  public var exceptSources: [String] = []
  /// Strengths of the penalty to try, on features scaled to a mean square difference of 1.
  public var strengths = [1e-2, 3e-2, 1e-1, 3e-1, 1, 3, 10]
  /// The longest prompt plus response, in tokens.
  public var maxLength = 384
  /// Tokens that go through the model at once.
  public var microBatchTokens = 8192

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require("train", !train.isEmpty, "at least one file", "none")
    try require("validation", !validation.isEmpty, "at least one file", "none")
    try require(
      "ending", ending != .turn || head == .linear,
      "end-of-text for the head 'worldpm', which reads <|endoftext|>", "turn")
    try require("strengths", !strengths.isEmpty, "at least one number", "none")
    for strength in strengths {
      try require("strengths", (1e-9...1e9).contains(strength), "numbers above 0", strength)
    }
    try require(
      "max_length", (8...1_000_000).contains(maxLength), "an integer from 8 to 1000000", maxLength)
    try requireCount("micro_batch_tokens", microBatchTokens)
  }
}

/// Fits the last layer of a reward model to pairs and leaves the trunk alone: a linear probe.
///
/// Bradley-Terry with a linear reward is a logistic regression on differences of features, so the best
/// weights under a quadratic penalty are one point, found by Newton's method; no learning rate, no steps.
/// By itself it says how much the trunk knows already. As the start of `reward-model` it keeps
/// fine-tuning from spending its first steps on a random head (Kumar et al. 2022, arXiv 2202.10054).
struct RewardProbeStage: Stage {
  let configuration: RewardProbeConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.train + configuration.validation + configuration.test
  }

  static var product: StageProduct { .model(.preference(.reward)) }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .rewardStart)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    let plan = try pairTrainingPlan(
      context, what: "linear probe", model: configuration.model,
      train: configuration.train, batch: 1, epochs: 1, maxLength: configuration.maxLength)
    return StagePlan(
      "a linear probe on \(plan.sizes["rows"] ?? 0) rows",
      sizes: ["parameters": plan.sizes["parameters"] ?? 0],
      // Forward only, a third of what training takes.
      seconds: plan.seconds.map { $0 / 3 })
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    var encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    encoder.scoredEnding = configuration.ending.ending ?? encoder.scoredEnding
    var model = try startingRewardModel(
      context, configuration.model, head: configuration.head.head, encoder: encoder,
      seed: context.seed)
    try requireFit(
      configuration.model, stage: context.stage, configuration: model.decoder.configuration,
      encoder: encoder, longest: configuration.maxLength)
    let pairs = try PairSets(
      context, train: configuration.train, validation: configuration.validation,
      test: configuration.test, encoder: encoder, maxLength: configuration.maxLength
    ).leavingOut(configuration.exceptSources, context)
    guard !pairs.validation.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: configuration.validation,
        why: "no validation pair differs within max_length")
    }
    let fit = try ProbeFit(
      train: try differences(context, model, pairs.train, from: 0, of: pairs),
      validation: try differences(
        context, model, pairs.validation, from: pairs.train.count, of: pairs),
      strengths: configuration.strengths)
    model.parameters.assign(fit.weights, to: model.outputWeight)
    for (index, trial) in fit.trials.enumerated() {
      try context.record(
        step: index + 1,
        ["strength": trial.strength, "train_loss": trial.training, "eval_loss": trial.validation])
    }
    try model.write(to: context.directory, encoder: encoder)
    return try result(context, model, pairs: pairs, fit: fit)
  }

  /// Features of the chosen response minus those of the rejected one, pair by pair.
  private func differences(
    _ context: StageContext, _ model: RewardModel, _ pairs: [EncodedPair], from start: Int,
    of sets: PairSets
  ) throws -> [[Double]] {
    try model.features(
      groups: pairs.map(\.group), tokenBudget: configuration.microBatchTokens
    ) { done in
      context.progress(start + done, of: sets.train.count + sets.validation.count)
      try context.stopIfInterrupted()
    }.map { zip($0[0], $0[1]).map { Double($0) - Double($1) } }
  }

  private func result(
    _ context: StageContext, _ model: RewardModel, pairs: PairSets, fit: ProbeFit
  ) throws -> StageResult {
    var figures = [
      Figure(
        "train_pairs", Double(pairs.train.count), unit: "pairs", sampleSize: pairs.train.count),
      Figure("strength", fit.best.strength, sampleSize: fit.trials.count),
      Figure(
        "validation_nll", fit.best.validation, unit: "nats", sampleSize: pairs.validation.count),
    ]
    var sections = [
      ReportSection(
        "\(context.stage): linear probe",
        [
          .paragraph(
            "The trunk is frozen; the last layer of the head is a logistic regression on "
              + "\(pairs.train.count) pairs. The penalty of the lowest validation loss is kept."),
          .table(fit.table),
        ])
    ]
    if !pairs.test.isEmpty {
      let found = try MeasuredPreferences(
        .reward(model), pairs: pairs.test, validation: pairs.validation, seed: context.seed)
      figures += found.figures
      sections.append(found.section(title: "\(context.stage): held-out pairs"))
    }
    return StageResult(figures: figures, sections: sections)
  }
}

/// Logistic regressions of several penalties, and the one that validation prefers.
struct ProbeFit {
  struct Trial {
    let strength: Double
    /// Mean losses in nats per pair.
    let training: Double
    let validation: Double
  }

  let trials: [Trial]
  let best: Trial
  /// Of the features as they are.
  let weights: [Float]

  /// - Parameters:
  ///   - train: differences of features, rows of equal width, at least one.
  ///   - validation: the same of other pairs, at least one.
  ///   - strengths: of the penalty, at least one.
  init(train: [[Double]], validation: [[Double]], strengths: [Double]) throws {
    // Some features of a trunk are a hundred times as large as others; a penalty should not care.
    let scales = train[0].indices.map { index in
      let square = train.reduce(0.0) { $0 + $1[index] * $1[index] } / Double(train.count)
      return square > 1e-24 ? 1 / square.squareRoot() : 0
    }
    func scaled(_ rows: [[Double]]) -> [[Double]] { rows.map { zip($0, scales).map(*) } }
    let (training, heldOut) = (scaled(train), scaled(validation))
    var trials: [Trial] = []
    var best: (trial: Trial, weights: [Double])?
    for strength in strengths.sorted() {
      let fit = LogisticRegression(training, ridge: strength)
      func loss(_ rows: [[Double]]) -> Double {
        rows.reduce(0) { $0 + pairLoss(fit.logOdds($1)) } / Double(rows.count)
      }
      let trial = Trial(strength: strength, training: loss(training), validation: loss(heldOut))
      trials.append(trial)
      if trial.validation < best?.trial.validation ?? .infinity { best = (trial, fit.weights) }
    }
    guard let best else { preconditionFailure("ProbeFit: expected at least one strength") }
    self.trials = trials
    self.best = best.trial
    weights = zip(best.weights, scales).map { Float($0 * $1) }
  }

  var table: TextTable {
    TextTable(
      columns: ["penalty", "training NLL (nats)", "validation NLL (nats)"],
      rows: trials.map {
        [
          NumberText.short($0.strength) + ($0.strength == best.strength ? " (kept)" : ""),
          NumberText.fixed($0.training, 4), NumberText.fixed($0.validation, 4),
        ]
      })
  }
}
