import PlumbOptimizers
import PlumbTensors

/// A model with its gradients and its optimizer, moved as the stages of a recipe move theirs.
struct TrainedModel<Model> {
  private(set) var model: Model
  private let parameters: WritableKeyPath<Model, ParameterBlock>
  private var gradients: GradientBlock
  private var optimizer: AdamW

  init(_ model: Model, parameters: WritableKeyPath<Model, ParameterBlock>) {
    self.model = model
    self.parameters = parameters
    gradients = GradientBlock(for: model[keyPath: parameters])
    // AdamW of torch with its defaults, apart from the clipping that every workload asks for.
    optimizer = AdamW(
      AdamW.Configuration(weightDecay: 0.01, maximumGradientNorm: 1),
      for: model[keyPath: parameters])
  }

  /// One optimizer step; `body` accumulates the gradient.
  mutating func step(_ body: (Model, inout GradientBlock) throws -> Void) throws {
    gradients.reset()
    try body(model, &gradients)
    let update = optimizer.update(
      &model[keyPath: parameters], gradients: gradients, learningRate: 1e-5)
    guard !update.isSkipped else { throw BenchError("a gradient is not finite") }
  }
}

/// A workload whose result is not a number has measured nothing.
func requireFinite(_ value: Float) throws {
  guard value.isFinite else { throw BenchError("expected a finite result, found \(value)") }
}
