import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct CheckpointingTests {
  private let weights = (0..<2).map {
    Tensor.variable(spread([6, 6], seed: UInt64($0) + 40).scalars, shape: [6, 6])
  }

  private func layer(_ x: Tensor, _ weight: Tensor) -> Tensor {
    x + linear(x, weight: weight).tanh()
  }

  /// Variables that the body captures get their gradients, also where they are read outside too.
  @Test func gradientsHaveTheSameBits() throws {
    let x = Tensor.variable(spread([3, 6], seed: 1).scalars, shape: [3, 6])
    let (first, second) = (weights[0], weights[1])
    let plain = layer(layer(layer(x, first), second), first).square().sum() + second.sum()
    let inner: @Sendable (Tensor) -> Tensor = { [self] in layer($0, first) }
    let outer: @Sendable (Tensor) -> Tensor = { [self] in layer(checkpointed($0, inner), second) }
    let saved = checkpointed(checkpointed(x, outer), inner).square().sum() + second.sum()
    #expect(saved.item == plain.item)
    let (one, other) = (Gradients(of: saved), Gradients(of: plain))
    for leaf in [x, first, second] {
      #expect(try #require(one[leaf]).scalars == (try #require(other[leaf])).scalars)
    }
  }

  /// The input need not ask for a gradient: adapters of a first layer lie within the body.
  @Test func aConstantInputStillTrainsTheBody() throws {
    let x = spread([3, 6], seed: 1)
    let weight = weights[0]
    let loss = checkpointed(x) { [self] in layer($0, weight) }.sum()
    let plain = layer(x, weight).sum()
    #expect(Gradients(of: loss)[weight]?.scalars == Gradients(of: plain)[weight]?.scalars)
    let constant = checkpointed(x) { $0 * 2 }
    #expect(!constant.requiresGradient)
  }

  @Test func parametersAccumulateIntoTheirBlock() {
    var layout = ParameterLayout()
    let id = layout.add("w", [6, 6], .normal(standardDeviation: 0.5))
    let block = ParameterBlock(layout: layout, seed: 3)
    let x = Tensor.variable(spread([3, 6], seed: 1).scalars, shape: [3, 6])
    func gradient(_ apply: (Tensor) -> Tensor) -> [Float] {
      var gradients = GradientBlock(for: block)
      gradients.accumulate(apply(apply(x)).square().sum())
      return gradients[id].scalars
    }
    let body: @Sendable (Tensor) -> Tensor = { linear($0, weight: block[id]).tanh() }
    let plain = gradient(body)
    let saved = gradient { checkpointed($0, body) }
    #expect(plain == saved)
    #expect(plain.contains { $0 != 0 })
  }

  /// Twenty layers of one megabyte each, with less than three megabytes in use.
  ///
  /// In a process of its own, since a trace sees the whole process.
  @Test func aChainKeepsOnlyItsStates() async {
    await #expect(processExitsWith: .success) {
      let x = Tensor.variable([Float](repeating: 0.5, count: 64 * 64), shape: [64, 64])
      let body: @Sendable (Tensor) -> Tensor = { start in
        (0..<64).reduce(start) { x, _ in (x * 0.5).tanh() }
      }
      func fresh(_ apply: (Tensor) -> Tensor) -> Int {
        TensorMemory.releaseIdle()
        let (_, trace) = EngineTrace.record {
          let loss = (0..<20).reduce(x) { x, _ in apply(x) }.sum()
          _ = Gradients(of: loss)
        }
        return trace.counts.freshBytes
      }
      let plain = fresh(body)
      let saved = fresh { checkpointed($0, body) }
      #expect(plain > 20 << 20)
      #expect(saved < 4 << 20, "\(saved) bytes")
    }
  }
}
