import Foundation
import PlumbTensors
import PlumbTestSupport
import Testing

@testable import PlumbOptimizers

struct AdamWTests {
  /// A block of one parameter with the given values.
  static func block(_ values: [Float], _ shape: Shape) -> ParameterBlock {
    var layout = ParameterLayout()
    let id = layout.add("weight", shape, .zeros)
    var parameters = ParameterBlock(layout: layout)
    parameters.assign(values, to: id)
    return parameters
  }

  /// Gradients with given values: the derivative of `Σ g·w` is `g`.
  static func gradients(_ values: [Float], for parameters: ParameterBlock) -> GradientBlock {
    var gradients = GradientBlock(for: parameters)
    for entry in parameters.layout.entries {
      guard let id = parameters.layout.id(named: entry.name) else { continue }
      let part = Array(values[entry.offset..<entry.offset + entry.shape.count])
      gradients.accumulate((parameters[id] * Tensor(part, shape: entry.shape)).sum())
    }
    return gradients
  }

  static func values(_ parameters: ParameterBlock) -> [Float] {
    parameters.withSpan { span in span.indices.map { span[$0] } }
  }

  struct File: Decodable {
    let lr: Double
    let betas: [Float]
    let eps, weight_decay: Float
    let max_norm: Double
    let warmup_steps, total_steps: Int
  }

  @Test func goldenTrainingRun() throws {
    let golden = try Golden("adamw")
    let file = try Golden.json("adamw", as: File.self)
    var parameters = Self.block(try golden.floats("initial"), [7, 5])
    var optimizer = AdamW(
      AdamW.Configuration(
        beta1: file.betas[0], beta2: file.betas[1], epsilon: file.eps,
        weightDecay: file.weight_decay, maximumGradientNorm: file.max_norm),
      for: parameters)
    let schedule = Schedule.cosine(warmupSteps: file.warmup_steps, totalSteps: file.total_steps)
    let gradients = try golden.floats("gradients")
    let weights = try golden.floats("weights")
    let rates = try golden.floats("learning_rates")
    let norms = try golden.floats("gradient_norms")
    for step in 0..<12 {
      let range = step * 35..<step * 35 + 35
      let rate = Float(schedule.learningRate(at: step, peak: file.lr))
      expectClose(rate, rates[step], absolute: 1e-10, relative: 1e-7)
      let update = optimizer.update(
        &parameters, gradients: Self.gradients(Array(gradients[range]), for: parameters),
        learningRate: rate)
      expectClose(Float(update.gradientNorm), norms[step], absolute: 0, relative: 1e-6)
      #expect((update.gradientScale < 1) == (norms[step] > 1))
      expectClose(
        Self.values(parameters), Array(weights[range]), absolute: 1e-6, relative: 1e-6,
        "step \(step)")
    }
    #expect(optimizer.step == 12 && optimizer.skippedSteps == 0)
  }

  /// The first step of Adam has the size of the learning rate, whatever the gradient.
  @Test func firstStepByHand() {
    var parameters = Self.block([1, 1, 1], [3])
    var optimizer = AdamW(.init(maximumGradientNorm: .infinity), for: parameters)
    optimizer.update(
      &parameters, gradients: Self.gradients([1e-3, -50, 0], for: parameters), learningRate: 0.1)
    expectClose(Self.values(parameters), [0.9, 1.1, 1], absolute: 1e-5)
  }

  /// Decay takes `rate · decay` of a matrix away, and nothing of a vector.
  @Test func decayIsForMatrices() {
    var layout = ParameterLayout()
    let matrix = layout.add("matrix", [1, 2], .ones)
    let vector = layout.add("vector", [2], .ones)
    var parameters = ParameterBlock(layout: layout, seed: 0)
    var optimizer = AdamW(.init(weightDecay: 0.5), for: parameters)
    optimizer.update(&parameters, gradients: GradientBlock(for: parameters), learningRate: 0.1)
    expectClose(parameters.values(of: matrix), [0.95, 0.95])
    #expect(parameters.values(of: vector) == [1, 1])
  }

  @Test func clippingFollowsTorch() {
    #expect(clippingScale(norm: 0.5, maximum: 1) == 1)
    #expect(clippingScale(norm: 4, maximum: 1) == Float(1 / 4.000001))
    #expect(clippingScale(norm: 0, maximum: 1) == 1)
    #expect(clippingScale(norm: 1e30, maximum: .infinity) == 1)
  }

  @Test(arguments: [Float.nan, .infinity]) func badGradientIsSkippedAndCounted(bad: Float) {
    var parameters = Self.block([1, 2], [2])
    var optimizer = AdamW(for: parameters)
    optimizer.update(
      &parameters, gradients: Self.gradients([1, 1], for: parameters), learningRate: 0.1)
    let before = (Self.values(parameters), optimizer.moments.first, optimizer.moments.second)
    let update = optimizer.update(
      &parameters, gradients: Self.gradients([1, bad], for: parameters), learningRate: 0.1)
    #expect(update.isSkipped && !update.gradientNorm.isFinite && update.gradientScale == 0)
    #expect(optimizer.step == 1 && optimizer.skippedSteps == 1)
    #expect(Self.values(parameters) == before.0)
    #expect(optimizer.moments.first == before.1 && optimizer.moments.second == before.2)
  }

  @Test func badInputTraps() async {
    await #expect(processExitsWith: .failure) { _ = AdamW.Configuration(beta2: 1) }
    await #expect(processExitsWith: .failure) { _ = AdamW.Configuration(maximumGradientNorm: 0) }
    await #expect(processExitsWith: .failure) {
      var parameters = AdamWTests.block([1, 2], [2])
      var optimizer = AdamW(for: AdamWTests.block([1], [1]))
      optimizer.update(&parameters, gradients: GradientBlock(for: parameters), learningRate: 1)
    }
  }
}
