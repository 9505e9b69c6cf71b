import PlumbModels
import PlumbPreferences
import PlumbTensors
import PlumbTestSupport
import Testing

/// Finite differences of losses through head and trunk.
@Suite struct HeadGradientTests {
  /// Compares the gradient of `loss` with central differences at a few scalars of every parameter.
  private func check(
    _ parameters: ParameterBlock, _ loss: (ParameterBlock) -> Tensor,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    var gradients = GradientBlock(for: parameters)
    gradients.accumulate(loss(parameters))
    let step: Float = 0x1p-8
    for entry in parameters.layout.entries {
      let id = try #require(parameters.layout.id(named: entry.name))
      let values = parameters.values(of: id)
      let analytic = gradients[id].scalars
      for index in [0, values.count / 2, values.count - 1] {
        func value(at offset: Float) -> Float {
          var moved = parameters
          var changed = values
          changed[index] += offset
          moved.assign(changed, to: id)
          return loss(moved).item
        }
        let numeric = (value(at: step) - value(at: -step)) / (2 * step)
        expectClose(
          analytic[index], numeric, absolute: 2e-3, relative: 2e-2, "\(entry.name)[\(index)]",
          sourceLocation: sourceLocation)
      }
    }
  }

  @Test(arguments: RewardModel.Head.allCases, ModelFamily.allCases)
  func rewardModel(head: RewardModel.Head, family: ModelFamily) throws {
    let model = try Tiny.rewardModel(head: head, family: family)
    let batch = try model.batch(Tiny.pairs)
    try check(model.parameters) { parameters in
      var moved = model
      moved.parameters = parameters
      let (chosen, rejected) = moved.pairRewards(batch)
      return -(chosen - rejected).logSigmoid().mean()
    }
  }

  @Test(arguments: [false, true], [false, true])
  func generalPreferenceModel(normalises: Bool, isGated: Bool) throws {
    let model = try Tiny.generalPreferenceModel(normalises: normalises, isGated: isGated)
    let batch = try model.batch(Tiny.pairs)
    try check(model.parameters) { parameters in
      var moved = model
      moved.parameters = parameters
      return -moved.scores(batch).logSigmoid().mean()
    }
  }

  @Test func pairModel() throws {
    let model = try Tiny.pairModel()
    let batch = try model.batch(Tiny.pairs, swapped: [[false, true], [false], [true]])
    try check(model.parameters) { parameters in
      var moved = model
      moved.parameters = parameters
      let signs = Tensor([1, -1, 1, -1])
      return -(moved.logits(batch) * signs).logSigmoid().mean()
    }
  }
}
