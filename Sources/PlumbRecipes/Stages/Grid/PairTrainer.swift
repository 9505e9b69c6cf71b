import Foundation
import PlumbData
import PlumbObjectives
import PlumbPreferences
import PlumbTensors

/// Sizes of a preference model's training, without data and loss.
struct PairTrainingSettings: Sendable {
  /// Passes over the training pairs.
  var epochs = 1.0
  /// Pairs in one optimizer step.
  var batchPairs = 32
  /// Tokens that go through the model at once; a step accumulates over as many parts as it needs.
  var microBatchTokens = 8192
  /// Validations over the whole training; 0 keeps the last weights.
  var validations = 4
  /// The optimizer.
  var optimizer = OptimizerConfiguration()
}

/// A model as its training left it, with the course of the training.
struct TrainedModel<Model> {
  /// With the weights of the lowest validation loss; with the last ones where nothing was validated.
  let model: Model
  /// The lowest validation loss and its step; nil where nothing was validated.
  let best: (loss: Double, step: Int)?
  /// Optimizer steps.
  let steps: Int
  /// Every step's metrics, and `eval_` ones where there was a validation.
  let journal: MemoryJournal
}

/// Trains a preference model on pairs in memory: the same loop as the stages, without files.
///
/// ```swift
/// let trainer = PairTrainer.bradleyTerry(settings, seed: 3)
/// let trained = try trainer.train(model, on: pairs, validation: held, report: cell.step)
/// ```
/// Another loss is another `objective`; batches of another kind (several sources in one step, weights
/// that are solved for) are another `step` in `train(_:steps:validation:report:step:)`.
struct PairTrainer<Model: TrainableModel> {
  var settings: PairTrainingSettings
  /// Decides the order of the pairs.
  var seed: UInt64
  /// The loss of some groups of a batch of `batchCount`, divided so that parts add up to the mean.
  var objective:
    (_ model: Model, _ groups: [PreferenceGroup], _ batchCount: Int) throws -> Objective
  /// Log-odds that the first response of each group wins.
  var logOdds: (_ model: Model, _ groups: [PreferenceGroup]) throws -> [Double]

  /// Optimizer steps on so many pairs.
  func steps(pairs: Int) -> Int {
    BatchPlan(
      costs: [Int](repeating: 1, count: pairs), size: .examples(settings.batchPairs), seed: seed
    ).steps(epochs: settings.epochs)
  }

  /// Trains on pairs in random order, each epoch another.
  ///
  /// - Parameters:
  ///   - pairs: at least one.
  ///   - validation: decides which weights are kept; may be empty.
  ///   - report: is told the step, the number of steps and the loss; may throw to stop.
  func train(
    _ model: Model, on pairs: [EncodedPair], validation: [EncodedPair] = [],
    report: @escaping (_ step: Int, _ count: Int, _ loss: Double?) throws -> Void = { _, _, _ in }
  ) throws -> TrainedModel<Model> {
    precondition(!pairs.isEmpty, "PairTrainer: expected at least one pair")
    let plan = BatchPlan(
      costs: pairs.map(\.group.tokenCount), size: .examples(settings.batchPairs), seed: seed)
    return try train(
      model, steps: plan.steps(epochs: settings.epochs), validation: validation, report: report
    ) { step, model, gradients in
      try pairStep(
        plan.examples(ofStep: step).map { pairs[$0] }, microBatchTokens: settings.microBatchTokens
      ) { groups, batchCount in
        let found = try objective(model, groups, batchCount)
        gradients.accumulate(found.loss)
        return found
      }
    }
  }

  /// Trains by any step.
  ///
  /// - Parameter step: accumulates the gradient of one batch, of which the loss must be a mean.
  func train(
    _ model: Model, steps: Int, validation: [EncodedPair] = [],
    report: @escaping (_ step: Int, _ count: Int, _ loss: Double?) throws -> Void = { _, _, _ in },
    step: (Int, Model, inout GradientBlock) throws -> StepOutcome
  ) throws -> TrainedModel<Model> {
    let journal = MemoryJournal(report: report)
    let validates = settings.validations > 0 && !validation.isEmpty
    let loop = TrainingLoop(
      context: journal, settings: settings.optimizer, steps: steps, checkpointEvery: 0,
      evaluateEvery: validates
        ? max(1, (steps + settings.validations - 1) / settings.validations) : 0)
    var model = model
    let groups = validation.map(\.group)
    let best = try loop.run(
      &model,
      validate: validates
        ? { model in
          let found = Calibration(rewardDifferences: try logOdds(model, groups))
          return ["loss": found.nll, "accuracy": found.accuracy]
        } : nil, step: step)
    return TrainedModel(model: model, best: best, steps: steps, journal: journal)
  }
}

extension PairTrainer where Model == RewardModel {
  /// The Bradley-Terry loss.
  ///
  /// WorldPM, arXiv 2505.10527, eq. 1 and 2.
  static func bradleyTerry(
    _ settings: PairTrainingSettings, seed: UInt64, centering: Double = 0
  ) -> PairTrainer {
    PairTrainer(
      settings: settings, seed: seed,
      objective: { model, groups, batchCount in
        let rewards = try model.pairRewards(model.batch(groups))
        return PlumbObjectives.bradleyTerry(
          chosen: rewards.chosen, rejected: rewards.rejected, centering: Float(centering),
          batchCount: batchCount)
      },
      logOdds: { model, groups in try PreferenceModel.reward(model).logOdds(pairs: groups) })
  }
}

extension PairTrainer where Model == GeneralPreferenceModel {
  /// The loss of a general preference model.
  ///
  /// Zhang et al. 2024, arXiv 2410.02197, eq. 4.1 and A.1.
  static func generalPreference(
    _ settings: PairTrainingSettings, seed: UInt64, tau: Double
  ) -> PairTrainer {
    PairTrainer(
      settings: settings, seed: seed,
      objective: { model, groups, batchCount in
        PlumbObjectives.generalPreference(
          scores: try model.scores(model.batch(groups)), tau: Float(tau), batchCount: batchCount)
      },
      logOdds: { model, groups in
        try PreferenceModel.generalPreference(model).logOdds(pairs: groups)
      })
  }
}
