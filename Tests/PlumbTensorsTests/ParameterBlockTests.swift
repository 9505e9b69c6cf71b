import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct ParameterBlockTests {
  /// Two projections that lie next to each other, a gain, and an embedding used twice.
  struct Model {
    var layout = ParameterLayout()
    let first: ParameterID
    let second: ParameterID
    let gain: ParameterID
    let table: ParameterID

    init() {
      first = layout.add("first.weight", [2, 3], .normal(standardDeviation: 0.5))
      second = layout.add("second.weight", [1, 3], .normal(standardDeviation: 0.5))
      gain = layout.add("norm.weight", [3], .ones)
      table = layout.add("table.weight", [4, 3], .normal(standardDeviation: 1))
    }

    func loss(_ parameters: ParameterBlock) -> Tensor {
      let hidden = rmsNorm(
        embedding([3, 1, 3], weight: parameters[table]), weight: parameters[gain], epsilon: 1e-6)
      let projected = linear(hidden, weight: parameters.fused([first, second]))
      return (projected.square().sum() + linear(hidden, weight: parameters[table]).exp().sum())
    }
  }

  let model = Model()

  @Test func layoutIsAdjacent() {
    let layout = model.layout
    #expect(layout.entries.map(\.offset) == [0, 6, 9, 12])
    #expect(layout.count == 24)
    #expect(layout.id(named: "norm.weight") == model.gain)
    #expect(layout.id(named: "norm") == nil)
    #expect(layout[model.second].shape == [1, 3])
    #expect(layout.entries.map(\.decays) == [true, true, false, true])
  }

  @Test func initializationIsSeeded() {
    let one = ParameterBlock(layout: model.layout, seed: 1)
    let again = ParameterBlock(layout: model.layout, seed: 1)
    let other = ParameterBlock(layout: model.layout, seed: 2)
    #expect(one.values(of: model.table) == again.values(of: model.table))
    #expect(one.values(of: model.table) != other.values(of: model.table))
    #expect(one.values(of: model.gain) == [1, 1, 1])
    #expect(
      ParameterBlock(layout: model.layout).values(of: model.first) == .init(repeating: 0, count: 6))
  }

  @Test func copiesShareUntilWritten() {
    var policy = ParameterBlock(layout: model.layout, seed: 1)
    let reference = policy
    let before = reference.values(of: model.gain)
    policy.assign([5, 6, 7], to: model.gain)
    #expect(policy.values(of: model.gain) == [5, 6, 7])
    #expect(reference.values(of: model.gain) == before)
  }

  /// A write must not reach the tensors of a graph that is still alive.
  @Test func graphsKeepTheWeightsTheyRead() {
    var parameters = ParameterBlock(layout: model.layout, seed: 1)
    let view = parameters[model.gain]
    parameters.assign([5, 6, 7], to: model.gain)
    #expect(view.scalars == [1, 1, 1])
  }

  @Test func writesAreInPlaceWhenNothingElseReads() {
    var parameters = ParameterBlock(layout: model.layout, seed: 1)
    var gradients = GradientBlock(for: parameters)
    gradients.accumulate(model.loss(parameters))
    let before = address(of: parameters)
    parameters.assign([5, 6, 7], to: model.gain)
    #expect(address(of: parameters) == before)
  }

  private func address(of parameters: ParameterBlock) -> UInt {
    parameters.withSpan { span in
      span.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    }
  }

  @Test func frozenBlocksRecordNothing() {
    let parameters = ParameterBlock(layout: model.layout, seed: 1)
    #expect(model.loss(parameters).requiresGradient)
    #expect(!model.loss(parameters.frozen).requiresGradient)
    #expect(!parameters.isFrozen)
  }

  /// The flat block must hold what `Gradients` finds for the same weights as variables.
  @Test func blockGradientsEqualThoseOfVariables() throws {
    let parameters = ParameterBlock(layout: model.layout, seed: 3)
    var block = GradientBlock(for: parameters)
    block.accumulate(model.loss(parameters))
    for (id, step) in [(model.first, 0), (model.second, 2), (model.gain, 1), (model.table, 7)] {
      func loss(moved by: Float) -> Double {
        var moved = parameters
        var values = moved.values(of: id)
        values[step] += by
        moved.assign(values, to: id)
        return Double(model.loss(moved.frozen).item)
      }
      let numeric = (loss(moved: 0x1p-7) - loss(moved: -0x1p-7)) * 64
      expectClose(
        Double(block[id].scalars[step]), numeric, absolute: 5e-3, relative: 5e-3,
        model.layout[id].name)
    }
    let fused = parameters.fused([model.first, model.second])
    let hidden = Tensor([0.3, -0.2, 0.5, 1, 0.4, -0.6], shape: [2, 3])
    let direct = Gradients(of: linear(hidden, weight: fused).square().sum())
    block.reset()
    block.accumulate(linear(hidden, weight: fused).square().sum())
    let expected = try #require(direct[fused]).scalars
    expectClose(block[model.first].scalars + block[model.second].scalars, expected)
    #expect(block[model.table].scalars.allSatisfy { $0 == 0 })
  }

  @Test func accumulatingTwiceIsTheSum() {
    let parameters = ParameterBlock(layout: model.layout, seed: 3)
    var once = GradientBlock(for: parameters)
    once.accumulate(model.loss(parameters))
    var twice = once
    twice.accumulate(model.loss(parameters), scale: 0.5)
    twice.accumulate(model.loss(parameters), scale: 0.5)
    let id = model.table
    expectClose(twice[id].scalars, once[id].scalars.map { 2 * $0 }, absolute: 1e-5, relative: 1e-5)
    expectClose(twice.norm, 2 * once.norm, absolute: 1e-4, relative: 1e-5)
    let scaled = once[model.gain].scalars.map { $0 * 3 }
    once.scale(by: 3)
    expectClose(once[model.gain].scalars, scaled)
    #expect(once.allFinite())
    once.scale(by: .infinity)
    #expect(!once.allFinite())
  }

  @Test func sharedEntriesAreTakenOver() {
    var layout = ParameterLayout()
    let head = layout.add("head.weight", [1, 3], .ones)
    let gain = layout.add("norm.weight", [3], .zeros)
    let first = layout.add("first.weight", [3, 2], .zeros)
    var target = ParameterBlock(layout: layout, seed: 0)
    var source = ParameterBlock(layout: model.layout, seed: 1)
    source.assign([5, 6, 7], to: model.gain)
    target.copyShared(from: source)
    #expect(target.values(of: gain) == [5, 6, 7])
    #expect(target.values(of: head) == [1, 1, 1])
    #expect(target.values(of: first) == .init(repeating: 0, count: 6))  // another shape
  }

  @Test func nonFiniteWeightsAreFound() {
    var parameters = ParameterBlock(layout: model.layout, seed: 1)
    #expect(parameters.allFinite())
    for bad in [Float.nan, .infinity, -.infinity] {
      var values = parameters.values(of: model.table)
      values[11] = bad
      var broken = parameters
      broken.assign(values, to: model.table)
      #expect(!broken.allFinite())
    }
    parameters.assign([.greatestFiniteMagnitude, .leastNonzeroMagnitude, 0], to: model.gain)
    #expect(parameters.allFinite())
  }

  @Test func misuseTraps() async {
    await #expect(processExitsWith: .failure) {
      var layout = ParameterLayout()
      _ = layout.add("a", [1], .zeros)
      _ = layout.add("a", [1], .zeros)
    }
    await #expect(processExitsWith: .failure) {
      let model = Model()
      _ = ParameterBlock(layout: model.layout).fused([model.first, model.gain])
    }
    await #expect(processExitsWith: .failure) {
      let model = Model()
      _ = ParameterBlock(layout: model.layout).fused([model.second, model.gain])
    }
    await #expect(processExitsWith: .failure) {
      let model = Model()
      var parameters = ParameterBlock(layout: model.layout)
      parameters.assign([1], to: model.gain)
    }
    await #expect(processExitsWith: .failure) {
      let parameters = ParameterBlock(layout: Model().layout)
      var gradients = GradientBlock(for: parameters)
      gradients.accumulate(Model().loss(parameters.frozen))
    }
  }
}
