import Foundation
import PlumbData
import PlumbEvaluation
import PlumbModels
import PlumbObjectives
import PlumbPreferences
import PlumbTensors
import PlumbTokenizers

/// Settings of a pair model's training.
public struct PairPreferenceConfiguration: StageConfiguration {
  /// The name of these stages in a recipe, under `kind:`.
  public static let kind = "pair-preference"

  /// What it starts from: a language model, or the trunk of a preference model.
  public var model = ""
  /// In which orders the trained model reads a pair: `both`, averaged, or `single`, as asked.
  public var orders = PairOrders.both
  /// In which orders a pair is trained: `both` in every step, or `single`, drawn for each pair and step.
  public var trainingOrders = PairOrders.both
  /// The chance that a label is the wrong way round.
  public var labelSmoothing = 0.0
  /// Files, length (of prompt and both responses) and optimizer of the training.
  public var training = PreferenceTrainingSettings(maxLength: 512)

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require("model", !model.isEmpty, "a stage or a model folder", "nothing")
    try require(
      "label_smoothing", (0..<0.5).contains(labelSmoothing), "a number from 0, below 0.5",
      labelSmoothing)
  }
}

/// In which orders a pair model reads a pair.
public enum PairOrders: String, Codable, Sendable, CaseIterable {
  case both
  case single
}

/// Trains a pair model: both responses in one sequence, logistic loss of the head's log-odds.
///
/// Dong et al. 2024, arXiv 2405.07863, §3; Jiang et al. 2023, arXiv 2306.02561.
struct PairPreferenceStage: Stage {
  let configuration: PairPreferenceConfiguration

  var inputs: [String] {
    [configuration.model] + configuration.training.files
  }

  static var product: StageProduct { .model(.preference(.pair)) }

  var models: [ModelUse] { [ModelUse(configuration.model, as: .trunk)] }

  func plan(_ context: PlanContext) throws -> StagePlan {
    try context.plan(
      "pair model", model: configuration.model, configuration.training,
      rowsPerRecord: configuration.trainingOrders == .both ? 3 : 2)
  }

  func run(_ context: StageContext) throws -> StageResult {
    let source = try context.artifact(configuration.model)
    let encoder = try ConversationEncoder.load(from: AdapterFolder.tokenizerFolder(of: source))
    let trunk = try preferenceTrunk(source)
    try requireFit(
      configuration.model, stage: context.stage, configuration: trunk.configuration,
      encoder: encoder, longest: configuration.training.maxLength)
    var model = try PairPreferenceModel(
      configuration: trunk.configuration, trunk: trunk.parameters,
      opening: PairPreferenceModel.opening(encoder),
      orders: configuration.orders == .both ? .both : .single,
      endOfText: encoder.endOfText, seed: context.seed)
    let pairs = try PairSets(context, configuration.training, encoder: encoder)
      .fitted(to: model, context, limit: configuration.training.maxLength, encoder: encoder)
    let (best, steps) = try pairs.train(
      &model, configuration.training, in: context, as: { .pair($0) }
    ) { number, batch, model, gradients in
      var drawn = RandomStream(seed: context.seed, purpose: "pair orders", step: number)
      return try pairStep(
        batch, microBatchTokens: configuration.training.microBatchTokens
      ) { groups, batchCount in
        let objective = try self.objective(
          model, groups, batchCount: batchCount
        ) { drawn.uniform(below: 2) == 1 }
        gradients.accumulate(objective.loss)
        return objective
      }
    }
    try model.write(to: context.directory, encoder: encoder)
    var result = try preferenceResult(
      context, .pair(model), pairs: pairs, best: best, steps: steps)
    if !pairs.test.isEmpty {
      let bias = OrderBias(try model.logOddsInBothOrders(pairs: pairs.test.map(\.group)))
      result.figures += bias.figures
      result.sections.append(
        ReportSection("\(context.stage): order of the responses", [.table(bias.table)]))
    }
    return result
  }

  /// The logistic loss of some pairs of a batch, with the label that the order gives.
  private func objective(
    _ model: PairPreferenceModel, _ groups: [PreferenceGroup], batchCount: Int,
    isSwapped: () -> Bool
  ) throws -> Objective {
    let orders: [[Bool]] = groups.map { _ in
      configuration.trainingOrders == .both ? [false, true] : [isSwapped()]
    }
    let logits = model.logits(try model.batch(groups, swapped: orders))
    // Swapped, the chosen response comes second: its log-odds are those of losing.
    let signs = orders.joined().map { $0 ? Float(-1) : 1 }
    return pairPreference(
      logits: logits * Tensor(signs), labelSmoothing: Float(configuration.labelSmoothing),
      batchCount: batchCount * (configuration.trainingOrders == .both ? 2 : 1))
  }
}

extension PairSets {
  /// The same pairs cut to what a pair model reads as one sequence.
  fileprivate func fitted(
    to model: PairPreferenceModel, _ context: StageContext, limit: Int,
    encoder: ConversationEncoder
  ) throws -> PairSets {
    let marks = encoder.scored(prompt: [], response: "").response.count
    func fit(_ pairs: [EncodedPair], _ what: String) -> [EncodedPair] {
      var (cut, dropped) = (0, 0)
      let fitted = pairs.compactMap { pair -> EncodedPair? in
        guard let found = model.fit(pair.group, limit: limit, keepingLast: marks) else {
          dropped += 1
          return nil
        }
        cut += found.wasCut ? 1 : 0
        return pair.replacing(found.pair)
      }
      if cut + dropped > 0 {
        context.note(
          "\(what): \(cut) pairs cut so that both responses fit into \(limit) tokens, "
            + "\(dropped) left out")
      }
      return fitted
    }
    let training = fit(train, "training")
    guard !training.isEmpty else {
      throw RunError.nothingToTrain(
        stage: context.stage, files: [], why: "no pair differs within max_length")
    }
    return PairSets(
      train: training, validation: fit(validation, "validation"), test: fit(test, "test"))
  }
}

extension OrderBias {
  var figures: [Figure] {
    [
      Figure(
        "order_flips", flips,
        interval: Interval.wilson(successes: flips * Double(pairs), trials: pairs).range,
        sampleSize: pairs),
      Figure("first_place_logit", firstPlaceLogit, unit: "nats", sampleSize: pairs),
      Figure("order_logit_magnitude", meanMagnitude, unit: "nats", sampleSize: pairs),
    ]
  }

  var table: TextTable {
    TextTable(
      columns: ["what", "value"],
      rows: [
        ["pairs read in both orders", "\(pairs)"],
        ["verdicts that change with the order", NumberText.percent(flips)],
        ["of these in favour of the first place", NumberText.percent(flipsToFirst)],
        ["mean log-odds of the first place", NumberText.fixed(firstPlaceLogit, 3)],
        ["mean magnitude of it, pair by pair", NumberText.fixed(meanMagnitude, 3)],
      ])
  }
}
