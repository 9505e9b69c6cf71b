import Foundation
import PlumbOptimizers
import PlumbTensors

/// Gradients, moments and learning rates of one parameter block.
struct BlockLearner {
  typealias Update = AdamW.Update

  private(set) var optimizer: AdamW
  /// The gradients added up so far.
  var gradients: GradientBlock
  private let rates: LearningRates

  /// A learner that has not seen a gradient.
  ///
  /// - Parameters:
  ///   - parameters: the block to move; only its layout is kept.
  ///   - settings: of the optimizer.
  ///   - steps: the steps that its schedule runs over.
  init(_ parameters: ParameterBlock, settings: OptimizerConfiguration, steps: Int) {
    optimizer = AdamW(settings.adamW, for: parameters)
    gradients = GradientBlock(for: parameters)
    rates = settings.learningRates(steps: steps)
  }

  /// Forgets the gradients of the last step.
  mutating func reset() { gradients.reset() }

  /// Adds the gradient of a loss, whose graph must be gone before `move`.
  mutating func accumulate(_ loss: Tensor) { gradients.accumulate(loss) }

  /// The rate of the next step.
  var learningRate: Float { learningRate(at: nil) }

  /// The rate at a place of the schedule; of the next step where nil.
  func learningRate(at place: Int?) -> Float {
    rates.learningRate(at: place ?? optimizer.step)
  }

  /// One optimizer step on the block.
  ///
  /// - Parameter place: in the schedule; the number of steps taken where nil.
  mutating func move(_ parameters: inout ParameterBlock, at place: Int? = nil) -> Update {
    optimizer.update(&parameters, gradients: gradients, learningRate: learningRate(at: place))
  }

  /// Writes the moments.
  func save(to url: URL) throws { try optimizer.write(to: url) }

  /// Reads the moments of a block of this layout.
  mutating func load(from url: URL, for parameters: ParameterBlock) throws {
    optimizer = try AdamW(
      contentsOf: url, configuration: optimizer.configuration, for: parameters)
  }
}
