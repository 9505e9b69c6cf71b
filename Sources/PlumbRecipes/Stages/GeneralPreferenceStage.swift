import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a general preference model's training.
public struct GeneralPreferenceConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "general-preference"

  /// What it starts from: a language model, or the trunk of a reward or preference model.
  public var model = ""
  /// What stands behind a response where the embedding is read, as in `reward-model`; with `turn` it is
  /// read at the last token.
  public var ending = RewardEndingChoice.asModel
  /// The dimension of the embeddings, 2k.
  public var dimension = 6
  /// Whether embeddings are scaled to length 1.
  public var l2Normalize = false
  /// Whether the prompt weighs the k planes.
  public var promptGate = false
  /// What the gate's logits become: `softmax`, or `scaled`, `k softmax(logits / sqrt(H))`.
  public var gateForm = GateChoice.softmax
  /// Whether the embeddings of the training responses begin with mean 0, which helps on cycles.
  public var centreHead = false
  /// The temperature of the preference probability.
  public var tau = 0.1
  /// Whether the temperature is trained with the weights, from `tau`.
  public var learnTau = false
  /// The loss: `logistic`, or `regression` of the log-odds.
  public var loss = GeneralPreferenceLoss.logistic
  /// What the regression aims at.
  public var regressionTarget = RegressionChoice.constant
  /// The target of `regression_target: constant`, in log-odds.
  public var targetLogOdds = 10.0
  /// A row's margin times this is subtracted from its score (logistic) or is the margin of the target
  /// (regression); 0 for no margins in the logistic loss.
  public var marginScale = 0.0
  /// Whether a row's `probability` is its label; rows without one are certain.
  public var softLabels = false
  /// The chance that a label is the wrong way round.
  public var labelSmoothing = 0.0
  /// The part of the loss that is language modelling on the chosen sequences, 0 for none.
  public var languageCoefficient = 0.0
  /// The language-modelling loss.
  public var languageLoss = LanguageLoss.sum
  /// Scales the log-probability in `language_loss: sum` and `mean`.
  public var languageBeta = 2.0
  /// Files, length and optimizer of the training.
  public var training = PreferenceTrainingSettings()

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require(
      "dimension", (2...4096).contains(dimension) && dimension.isMultiple(of: 2),
      "an even number from 2 to 4096",
      dimension)
    try requirePositive("tau", tau)
    try require(
      "learn_tau", !learnTau || tau > 0.01, "tau above 0.01, below which it is not trained", tau)
    try require(
      "learn_tau", !learnTau || loss == .logistic, "the logistic loss", "the regression")
    try require(
      "target_log_odds", targetLogOdds.isFinite && abs(targetLogOdds) <= 1000,
      "a number from -1000 to 1000", targetLogOdds)
    try require(
      "margin_scale", (0...1e6).contains(marginScale), "a number from 0 to 1000000", marginScale)
    try require(
      "margin_scale", loss == .logistic || !regressionTarget.readsMargin || marginScale > 0,
      "a number above 0, since the target is made of the margin", marginScale)
    try require(
      "soft_labels", loss == .logistic || regressionTarget != .label || softLabels,
      "true, since the target is made of the label", softLabels)
    try require(
      "label_smoothing", (0..<0.5).contains(labelSmoothing), "a number from 0, below 0.5",
      labelSmoothing)
    try require(
      "label_smoothing", loss == .logistic || labelSmoothing == 0, "0 with a regression",
      labelSmoothing)
    try require(
      "language_coefficient", (0..<1).contains(languageCoefficient), "a number from 0, below 1",
      languageCoefficient)
    try requirePositive("language_beta", languageBeta)
  }
}

/// What a recipe can ask of the gate.
public enum GateChoice: String, Codable, Sendable, CaseIterable {
  case softmax
  case scaled
}

/// The losses of a general preference model.
public enum GeneralPreferenceLoss: String, Codable, Sendable, CaseIterable {
  case logistic
  case regression
}

/// What a recipe can aim a regression at.
public enum RegressionChoice: String, Codable, Sendable, CaseIterable {
  /// `target_log_odds` for every pair.
  case constant
  /// `5 σ(margin)`.
  case sigmoidMargin = "sigmoid-margin"
  /// `margin / tau`.
  case margin
  /// The log-odds of the row's probability.
  case label

  var readsMargin: Bool { self == .sigmoidMargin || self == .margin }
}

/// The language-modelling losses beside a preference loss.
public enum LanguageLoss: String, Codable, Sendable, CaseIterable {
  case sum
  case mean
  case nll
}

/// Trains a general preference model.
///
/// Zhang et al. 2024, arXiv 2410.02197, eq. 4.1 and A.1.
struct GeneralPreferenceStage: Stage {
  let configuration: GeneralPreferenceConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.training.files
  }

  static var product: StageProduct { .model(.preference(.generalPreference)) }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .trunk)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try context.plan(
      "general preference, dimension \(configuration.dimension)", model: configuration.model,
      configuration.training)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    var encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    encoder.scoredEnding = configuration.ending.ending ?? encoder.scoredEnding
    let trunk = try preferenceTrunk(source)
    try requireFit(
      configuration.model, stage: context.stage, configuration: trunk.configuration,
      encoder: encoder, longest: configuration.training.maxLength)
    guard configuration.languageCoefficient == 0 || trunk.configuration.tiesEmbeddings else {
      throw RunError.wrongModel(
        stage: context.stage, model: configuration.model,
        expected: "a trunk with tied embeddings, which language modelling beside preferences reads",
        found: "one with an output matrix of its own")
    }
    var model = try GeneralPreferenceModel(
      configuration: trunk.configuration, trunk: trunk.parameters,
      options: .init(
        dimension: configuration.dimension, normalises: configuration.l2Normalize,
        isGated: configuration.promptGate,
        gate: configuration.gateForm == .softmax ? .softmax : .scaled, tau: configuration.tau,
        learnsTau: configuration.learnTau, readsLastToken: encoder.scoredEnding == .turn),
      endOfText: encoder.endOfText, seed: context.seed)
    let pairs = try PairSets(context, configuration.training, encoder: encoder)
    if configuration.centreHead { try model.centreHead(on: pairs.train.map(\.group)) }
    let (best, steps) = try pairs.train(
      &model, configuration.training, in: context, as: { .generalPreference($0) }
    ) { _, batch, model, gradients in
      try pairRowStep(
        batch, microBatchTokens: configuration.training.microBatchTokens
      ) { rows, batchCount in
        let objective = try configuration.objective(model, rows, batchCount: batchCount)
        gradients.accumulate(objective.loss)
        return objective
      }
    }
    try model.write(to: context.directory, encoder: encoder)
    var result = try preferenceResult(
      context, .generalPreference(model), pairs: pairs, best: best, steps: steps)
    if let chart = try embeddingChart(model, pairs.test) {
      result.sections.append(
        ReportSection("\(context.stage): embeddings", [.charts([chart])]))
    }
    return result
  }
}
