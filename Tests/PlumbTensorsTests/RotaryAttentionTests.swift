import PlumbTensors
import PlumbTestSupport
import Testing

/// Attention from the fused projection against the same steps one by one.
@Suite struct RotaryAttentionTests {
  private let layout = PackedLayout(groups: [
    (prefix: 3, continuations: [2, 1]), (prefix: 67, continuations: []),
    (prefix: 0, continuations: []),
  ])

  private func stepwise(_ x: Tensor, _ base: Float?) -> Tensor {
    func turned(_ x: Tensor) -> Tensor {
      base.map { rotary(x, positions: layout.positions, headDimension: 4, base: $0) } ?? x
    }
    return causalAttention(
      query: turned(x.columns(in: 0..<16)), key: turned(x.columns(in: 16..<24)),
      value: x.columns(in: 24..<32), layout: layout, headDimension: 4)
  }

  private func fused(_ x: Tensor, _ base: Float?) -> Tensor {
    rotaryAttention(
      queryKeyValue: x, positions: layout.positions, base: base, layout: layout, headDimension: 4,
      keyValueHeadCount: 2)
  }

  @Test(arguments: [nil, 100] as [Float?])
  func equalsTheSteps(base: Float?) throws {
    let x = Tensor.variable(spread([73, 32], seed: 5).scalars, shape: [73, 32])
    let (one, other) = (fused(x, base), stepwise(x, base))
    #expect(one.scalars == other.scalars)
    // The projection is read a second time, so that gradients add up.
    let gradients = [one, other].map { Gradients(of: ($0.square().sum() + x.square().sum())) }
    expectClose(
      try #require(gradients[0][x]), try #require(gradients[1][x]), absolute: 1e-6, relative: 1e-5)
  }

  @Test func gradients() {
    let layout = PackedLayout(groups: [(prefix: 2, continuations: [2, 1])])
    checkGradients(of: [spread([5, 8], seed: 1)]) {
      rotaryAttention(
        queryKeyValue: $0[0], positions: layout.positions, base: 10, layout: layout,
        headDimension: 2, keyValueHeadCount: 1)
    }
  }

  @Test func shapes() async {
    await #expect(processExitsWith: .failure) {
      _ = rotaryAttention(
        queryKeyValue: .zeros([2, 12]), positions: [0, 1], base: 10,
        layout: PackedLayout(lengths: [2]), headDimension: 4, keyValueHeadCount: 2)
    }
    await #expect(processExitsWith: .failure) {
      _ = rotaryAttention(
        queryKeyValue: .zeros([3, 16]), positions: [0, 1], base: 10,
        layout: PackedLayout(lengths: [2]), headDimension: 4, keyValueHeadCount: 1)
    }
    await #expect(processExitsWith: .failure) {
      _ = rotaryAttention(
        queryKeyValue: .zeros([2, 16]), positions: [0], base: 10,
        layout: PackedLayout(lengths: [2]), headDimension: 4, keyValueHeadCount: 1)
    }
  }
}
