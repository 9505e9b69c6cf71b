import PlumbTestSupport
import Testing

@testable import PlumbTensors

/// Low-rank terms against the same sums written out, and merging against applying.
@Suite struct LowRankTests {
  static func values(_ count: Int, _ seed: Int) -> [Float] {
    var stream = RandomStream(seed: 9, purpose: "low rank", step: seed)
    return (0..<count).map { _ in stream.normal() }
  }

  static func tensor(_ shape: Shape, _ seed: Int) -> Tensor {
    Tensor(values(shape.count, seed), shape: shape)
  }

  /// Two parts of a product of 9 columns, with a gap before, between and after them.
  static func terms(_ down: Tensor, _ first: Tensor, _ second: Tensor) -> LowRankTerms {
    LowRankTerms(
      down: down, parts: [.init(up: first, column: 1), .init(up: second, column: 6)], scale: 1.5)
  }

  @Test(arguments: [1, 5, 40], [false, true])
  func equalsTheSumsWrittenOut(rows: Int, isTransposed: Bool) {
    let (inputs, outputs) = (7, 9)
    let x = Self.tensor([rows, inputs], 1)
    let weight = Self.tensor(isTransposed ? [inputs, outputs] : [outputs, inputs], 2)
    let bias = Self.tensor([outputs], 3)
    let down = Self.tensor([5, inputs], 4)
    let (first, second) = (Self.tensor([4, 2], 5), Self.tensor([2, 3], 6))
    let found = lowRankLinear(
      x, weight: weight, bias: bias, isTransposed: isTransposed,
      terms: Self.terms(down, first, second))
    let plain = isTransposed ? matmul(x, weight) + bias : linear(x, weight: weight, bias: bias)
    var expected = plain.scalars.map(Double.init)
    for row in 0..<rows {
      let reduced = (0..<5).map { r in
        (0..<inputs).reduce(0.0) {
          $0 + Double(x.scalars[row * inputs + $1]) * Double(down.scalars[r * inputs + $1])
        }
      }
      for o in 0..<4 {
        for r in 0..<2 {
          expected[row * outputs + 1 + o] += 1.5 * Double(first.scalars[o * 2 + r]) * reduced[r]
        }
      }
      for o in 0..<2 {
        for r in 0..<3 {
          expected[row * outputs + 6 + o] +=
            1.5 * Double(second.scalars[o * 3 + r]) * reduced[2 + r]
        }
      }
    }
    expectClose(found.scalars, expected.map { Float($0) }, absolute: 2e-5, relative: 1e-5)
  }

  @Test(arguments: [false, true]) func gradients(isTransposed: Bool) {
    let (inputs, outputs) = (4, 9)
    checkGradients(of: [
      Self.tensor([3, inputs], 1),
      Self.tensor(isTransposed ? [inputs, outputs] : [outputs, inputs], 2),
      Self.tensor([outputs], 3), Self.tensor([5, inputs], 4), Self.tensor([4, 2], 5),
      Self.tensor([2, 3], 6),
    ]) { inputs in
      lowRankLinear(
        inputs[0], weight: inputs[1], bias: inputs[2], isTransposed: isTransposed,
        terms: Self.terms(inputs[3], inputs[4], inputs[5]))
    }
  }

  /// Nothing of the frozen weight is touched by backward, yet the input gets its gradient through it.
  @Test func aFrozenWeightPassesGradientsOn() throws {
    let x = Tensor.variable(Self.values(8, 1), shape: [2, 4])
    let weight = Self.tensor([9, 4], 2)
    let down = Tensor.variable(Self.values(20, 4), shape: [5, 4])
    let (first, second) = (Tensor.zeros([4, 2]), Tensor.zeros([2, 3]))
    let y = lowRankLinear(x, weight: weight, terms: Self.terms(down, first, second))
    let gradients = Gradients(of: y.sum())
    let expected = Gradients(of: linear(x, weight: weight).sum())
    #expect(gradients[weight] == nil)
    #expect(try #require(gradients[x]).scalars == #require(expected[x]).scalars)
    #expect(try #require(gradients[down]).scalars.allSatisfy { $0 == 0 })
  }

  /// A block with three adjacent weights, the first and last of which carry updates.
  struct Carrying {
    var block: ParameterBlock
    let weights: [ParameterID]
    let downs: [ParameterID]

    init() {
      var layout = ParameterLayout()
      weights = [3, 2, 4].enumerated().map { index, rows in
        layout.add("w\(index)", [rows, 5], .normal(standardDeviation: 1))
      }
      block = ParameterBlock(layout: layout, seed: 1)
      var small = ParameterLayout()
      let downs = [0, 2].map { small.add("A\($0)", [2, 5], .uniform(bound: 0.5)) }
      let ups = [(0, 3), (2, 4)].map {
        small.add("B\($0.0)", [$0.1, 2], .normal(standardDeviation: 1))
      }
      self.downs = downs
      let factors = [
        weights[0]: LowRankUpdates.Factors(down: downs[0], up: ups[0], isTransposed: false),
        weights[2]: LowRankUpdates.Factors(down: downs[1], up: ups[1], isTransposed: false),
      ]
      block.updates = LowRankUpdates(
        parameters: ParameterBlock(layout: small, seed: 2), factors: factors, scale: 0.5)
    }

    func product(_ block: ParameterBlock, _ x: Tensor) throws -> Tensor {
      guard let terms = block.lowRankTerms(of: weights) else {
        return linear(x, weight: block.fused(weights))
      }
      return lowRankLinear(x, weight: block.fused(weights), terms: terms)
    }
  }

  @Test func onlyTheUpdatesOfABlockCarryGradients() throws {
    let carrying = Carrying()
    let x = Self.tensor([6, 5], 1)
    let loss = try carrying.product(carrying.block, x).square().sum()
    var whole = GradientBlock(for: carrying.block)
    whole.accumulate(loss)
    #expect(whole.norm == 0)
    var small = GradientBlock(for: carrying.block.trainable)
    small.accumulate(loss)
    #expect(small.norm > 0)
    #expect(!(try carrying.product(carrying.block.frozen, x)).requiresGradient)
    #expect(carrying.block.lowRankTerms(of: [carrying.weights[1]]) == nil)
  }

  @Test func mergedWeightsGiveTheSameProductAndSubtractingGivesThemBack() throws {
    let carrying = Carrying()
    let x = Self.tensor([6, 5], 1)
    let applied = try carrying.product(carrying.block, x)
    let updates = try #require(carrying.block.updates)
    var merged = carrying.block
    merged.mergeUpdates()
    #expect(merged.updates == nil)
    expectClose(try carrying.product(merged, x), applied, absolute: 1e-5, relative: 1e-5)
    let base = carrying.weights.map { carrying.block.values(of: $0) }
    #expect(merged.values(of: carrying.weights[1]) == base[1])
    #expect(merged.values(of: carrying.weights[2]) != base[2])
    merged.add(updates, factor: -1)
    for (weight, values) in zip(carrying.weights, base) {
      expectClose(merged.values(of: weight), values, absolute: 1e-6, relative: 1e-6)
    }
  }

  /// A step moves the updates where they lie; the weights stay shared with every copy.
  @Test func aStepCopiesNoWeights() throws {
    var carrying = Carrying()
    let reference = carrying.block
    let before = carrying.downs.map { reference.trainable.values(of: $0) }
    var gradients = GradientBlock(for: carrying.block.trainable)
    gradients.accumulate(
      try carrying.product(carrying.block, Self.tensor([6, 5], 1)).square().sum())
    var moments = AdamWMoments(for: carrying.block.trainable)
    carrying.block.withTrainable {
      $0.adamW(
        gradients, &moments, step: 1, learningRate: 0.1, beta1: 0.9, beta2: 0.95, epsilon: 1e-8,
        weightDecay: 0, gradientScale: 1)
    }
    #expect(carrying.block.storage === reference.storage)
    #expect(carrying.block.trainable.values(of: carrying.downs[0]) != before[0])
    #expect(reference.trainable.values(of: carrying.downs[0]) == before[0])
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = lowRankLinear(
        .zeros([2, 4]), weight: .zeros([9, 4]),
        terms: LowRankTerms(
          down: .zeros([2, 5]), parts: [.init(up: .zeros([9, 2]), column: 0)], scale: 1))
    }
    await #expect(processExitsWith: .failure) {
      _ = lowRankLinear(
        .zeros([2, 4]), weight: .zeros([9, 4]),
        terms: LowRankTerms(
          down: .zeros([2, 4]), parts: [.init(up: .zeros([4, 2]), column: 6)], scale: 1))
    }
    await #expect(processExitsWith: .failure) {
      _ = lowRankLinear(
        .zeros([2, 4]), weight: .zeros([9, 4]),
        terms: LowRankTerms(
          down: .zeros([3, 4]), parts: [.init(up: .zeros([9, 2]), column: 0)], scale: 1))
    }
  }
}
