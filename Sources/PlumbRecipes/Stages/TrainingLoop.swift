import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbObjectives
import PlumbOptimizers
import PlumbPreferences
import PlumbTensors

/// Settings of AdamW (arXiv 1711.05101), its learning-rate schedule and gradient clipping.
public struct OptimizerConfiguration: ConfigurationSection {
  /// The peak learning rate.
  public var learningRate = 1e-4
  /// The course of the learning rate after warm-up.
  public var schedule = ScheduleShape.cosine
  /// The share of all steps over which the learning rate rises from 0.
  public var warmupFraction = 0.05
  /// Decoupled weight decay, on matrices only.
  public var weightDecay = 0.0
  /// Decay of the first moment.
  public var beta1 = 0.9
  /// Decay of the second moment.
  public var beta2 = 0.95
  /// Added to the root of the second moment.
  public var epsilon = 1e-8
  /// The global norm to which gradients are clipped.
  public var maxGradNorm = 1.0
  /// Whether backward computes every layer again in place of keeping it: the same result to the bit
  /// with a fraction of the memory, in about a third more time.
  public var gradientCheckpointing = false

  /// The defaults.
  public init() {}

  /// Refuses values that cannot be meant; throws `ConfigurationProblem`.
  public func validate() throws {
    try require(
      "learning_rate", learningRate >= 1e-30 && learningRate <= 10, "a number above 0, at most 10",
      learningRate)
    try require(
      "warmup_fraction", (0...1).contains(warmupFraction), "a number from 0 to 1", warmupFraction)
    try require(
      "weight_decay", (0...10).contains(weightDecay), "a number from 0 to 10", weightDecay)
    try require("beta1", (0...0.99999).contains(beta1), "a number from 0 to 0.99999", beta1)
    try require("beta2", (0...0.99999).contains(beta2), "a number from 0 to 0.99999", beta2)
    try require("epsilon", (1e-30...1).contains(epsilon), "a number from 1e-30 to 1", epsilon)
    try require("max_grad_norm", maxGradNorm >= 1e-20, "a number above 0", maxGradNorm)
  }
}

/// The course of the learning rate after warm-up.
public enum ScheduleShape: String, Codable, Sendable, CaseIterable {
  case constant
  case linear
  case cosine
}

/// The learning rate of every optimizer step of a stage.
struct LearningRates {
  let schedule: Schedule
  let peak: Double

  /// The rate of the step after `done` others.
  func learningRate(at done: Int) -> Float { Float(schedule.learningRate(at: done, peak: peak)) }
}

extension OptimizerConfiguration {
  var adamW: AdamW.Configuration {
    AdamW.Configuration(
      beta1: Float(beta1), beta2: Float(beta2), epsilon: Float(epsilon),
      weightDecay: Float(weightDecay), maximumGradientNorm: maxGradNorm)
  }

  func learningRates(steps: Int) -> LearningRates {
    let warmup = Int((Double(steps) * warmupFraction).rounded())
    let shape: Schedule =
      switch schedule {
      case .constant: .constantWithWarmup(warmupSteps: warmup)
      case .linear: .linear(warmupSteps: warmup, totalSteps: steps)
      case .cosine: .cosine(warmupSteps: warmup, totalSteps: steps)
      }
    return LearningRates(schedule: shape, peak: learningRate)
  }
}

/// Throws the problem of a field unless `holds`.
func require(_ field: String, _ holds: Bool, _ expected: String, _ found: some Any) throws {
  if !holds { throw ConfigurationProblem(field, expected: expected, found: "\(found)") }
}

/// Throws unless a count is from 1 to a million: no setting may overflow a product of sizes.
func requireCount(_ field: String, _ value: Int) throws {
  try require(field, (1...1_000_000).contains(value), "an integer from 1 to 1000000", value)
}

/// Throws unless a number can be used as Float32 in a quotient.
func requirePositive(_ field: String, _ value: Double) throws {
  try require(field, (1e-6...1e6).contains(value), "a number from 0.000001 to 1000000", value)
}

/// A model whose weights the loop moves.
protocol TrainableModel {
  var parameters: ParameterBlock { get set }
  var checkpointsLayers: Bool { get set }
}

extension CausalLM: TrainableModel {}
extension RewardModel: TrainableModel {}
extension GeneralPreferenceModel: TrainableModel {}
extension PairPreferenceModel: TrainableModel {}

/// What one optimizer step read and found.
struct StepOutcome {
  /// Means over the step's batch; `loss` is shown while the stage runs.
  var statistics: [String: Double]
  /// Tokens that went through the model.
  var tokens: Int
}

/// The optimizer steps that training stages share: accumulate, clip, update, log, checkpoint.
///
/// A stage that is killed and resumed ends in the same bits as one left alone: weights, moments, the
/// step number and the best weights so far are all that the future depends on.
struct TrainingLoop {
  /// Where the loop continues from and reports to.
  let context: any TrainingJournal
  let settings: OptimizerConfiguration
  let steps: Int
  var checkpointEvery = 100
  /// Steps between validations; 0 for none.
  ///
  /// The last step always validates if any does.
  var evaluateEvery = 0

  /// Trains `model` in place; with validation, it ends with the weights of the lowest loss.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - validate: statistics on held-out rows, among them `loss`.
  ///   - snapshots: the steps after which the model is kept, if any.
  ///   - step: accumulates the gradient of one batch. Its loss must be a mean over the batch.
  /// - Returns: the lowest validation loss and its step; nil without validation.
  @discardableResult
  func run<Model: TrainableModel>(
    _ model: inout Model,
    validate: ((Model) throws -> [String: Double])? = nil,
    snapshots: Snapshots<Model>? = nil,
    step: (Int, Model, inout GradientBlock) throws -> StepOutcome
  ) throws -> (loss: Double, step: Int)? {
    model.checkpointsLayers = settings.gradientCheckpointing
    var optimizer = AdamW(settings.adamW, for: model.parameters.trainable)
    let rates = settings.learningRates(steps: steps)
    var gradients = GradientBlock(for: model.parameters.trainable)
    var best: BestWeights?
    let first = try context.resume { folder in
      try load(folder, &model, &optimizer, &best)
      try snapshots?.folder.restore(from: folder)
    }
    for number in first..<max(first, steps + 1) {
      gradients.reset()
      let outcome = try step(number, model, &gradients)
      let rate = rates.learningRate(at: number - 1)
      let update = model.parameters.withTrainable {
        optimizer.update(&$0, gradients: gradients, learningRate: rate)
      }
      if update.isSkipped { context.warn("step \(number): a gradient is not finite, step skipped") }
      var metrics = outcome.statistics
      metrics["grad_norm"] = update.gradientNorm
      metrics["learning_rate"] = Double(rate)
      if let validate, number == steps || (evaluateEvery > 0 && number % evaluateEvery == 0) {
        let statistics = try validate(model)
        for (name, value) in statistics { metrics["eval_\(name)"] = value }
        let loss = statistics["loss"] ?? .infinity
        if loss < best?.loss ?? .infinity {
          best = BestWeights(loss: loss, step: number, parameters: model.parameters)
        }
      }
      try snapshots?.keep(model, after: number)
      let (current, moments, kept) = (model, optimizer, best)
      try context.finishStep(
        number, of: steps, metrics: metrics, loss: outcome.statistics["loss"],
        tokens: outcome.tokens, checkpointEvery: checkpointEvery
      ) { folder in
        try save(folder, current, moments, kept)
        try snapshots?.folder.save(into: folder)
      }
    }
    guard let best else { return nil }
    model.parameters = best.parameters
    return (best.loss, best.step)
  }

  private struct BestWeights {
    var loss: Double
    var step: Int
    var parameters: ParameterBlock
  }

  private struct BestRecord: Codable {
    var loss: Double
    var step: Int
  }

  private func save(
    _ folder: URL, _ model: some TrainableModel, _ optimizer: AdamW, _ best: BestWeights?
  ) throws {
    try model.parameters.trainable.write(to: folder.appending(path: "parameters.safetensors"))
    try optimizer.write(to: folder.appending(path: "optimizer.safetensors"))
    guard let best else { return }
    try best.parameters.trainable.write(to: folder.appending(path: "best.safetensors"))
    try AtomicFile.write(
      JSONEncoder().encode(BestRecord(loss: best.loss, step: best.step)),
      to: folder.appending(path: "best.json"))
  }

  private func load(
    _ folder: URL, _ model: inout some TrainableModel, _ optimizer: inout AdamW,
    _ best: inout BestWeights?
  ) throws {
    try model.parameters.withTrainable {
      try $0.read(from: folder.appending(path: "parameters.safetensors"))
    }
    optimizer = try AdamW(
      contentsOf: folder.appending(path: "optimizer.safetensors"),
      configuration: optimizer.configuration, for: model.parameters.trainable)
    let record = folder.appending(path: "best.json")
    guard FileManager.default.fileExists(atPath: record.path) else { return }
    let found = try JSONDecoder().decode(BestRecord.self, from: Data(contentsOf: record))
    var parameters = model.parameters
    try parameters.withTrainable {
      try $0.read(from: folder.appending(path: "best.safetensors"))
    }
    best = BestWeights(loss: found.loss, step: found.step, parameters: parameters)
  }
}
