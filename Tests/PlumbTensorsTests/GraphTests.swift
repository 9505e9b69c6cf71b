import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct GraphTests {
  @Test func onlyWhatDependsOnAVariableRecords() {
    let x = Tensor.variable([1, 2], shape: [2])
    #expect(x.requiresGradient && (x * 2).requiresGradient)
    #expect(!Tensor([1, 2]).requiresGradient && !(Tensor([1, 2]) * 2).requiresGradient)
    #expect(!x.detached.requiresGradient && !(x.detached * 2).requiresGradient)
  }

  /// d/dx of (x + x) x = 4 x: the same tensor is read three times.
  @Test func sharesOfOneTensorAddUp() {
    let x = Tensor.variable([3, -1], shape: [2])
    let gradients = Gradients(of: ((x + x) * x).sum())
    #expect(gradients[x]?.scalars == [12, -4])
    #expect(gradients[Tensor.variable([1], shape: [1])] == nil)
    #expect(gradients[Tensor([1])] == nil)
  }

  @Test func aLossCanBeDifferentiatedTwice() {
    let x = Tensor.variable([0.5, -0.25], shape: [1, 2])
    let weight = Tensor.variable([1, 2, 3, 4], shape: [2, 2])
    let loss = tokenLogprobs(hidden: x, weight: weight, rows: [0], targets: [1]).logprobs.sum()
    let first = Gradients(of: loss)
    let second = Gradients(of: loss)
    #expect(first[x]?.scalars == second[x]?.scalars)
    #expect(first[weight]?.scalars == second[weight]?.scalars)
  }

  @Test func reshapingKeepsTheGradient() {
    let x = Tensor.variable([1, 2, 3, 4], shape: [2, 2])
    let loss = (x.reshaped([4]) * Tensor([1, 10, 100, 1000])).sum()
    let gradient = Gradients(of: loss)[x]
    #expect(gradient?.scalars == [1, 10, 100, 1000])
    #expect(gradient?.shape == [2, 2])
  }

  /// Recursion over 300,000 nodes would overflow the stack, in backward or when the graph dies.
  @Test func longChainsDoNotRecurse() {
    let x = Tensor.variable([1], shape: [])
    var y = x
    for _ in 0..<300_000 { y = y + x }
    #expect(Gradients(of: y)[x]?.item == 300_001)
  }

  @Test func gradientsOutliveTheLoss() {
    let x = Tensor.variable([2], shape: [1])
    var gradients = Gradients(of: x.square().sum())
    #expect(gradients[x]?.scalars == [4])
    gradients = Gradients(of: Tensor(scalar: 1))
    #expect(gradients[x] == nil)
  }

  @Test func manyTasksDifferentiateAtOnce() async {
    let weight = Tensor.variable((0..<64 * 64).map { Float($0 % 13) / 13 - 0.5 }, shape: [64, 64])
    let x = Tensor((0..<128 * 64).map { Float($0 % 7) / 7 - 0.4 }, shape: [128, 64])
    func gradient() -> [Float] {
      Gradients(of: gelu(linear(x, weight: weight)).sum())[weight]?.scalars ?? []
    }
    let expected = gradient()
    let agree = await withTaskGroup(of: Bool.self) { group in
      for _ in 0..<8 { group.addTask { gradient() == expected } }
      return await group.reduce(true) { $0 && $1 }
    }
    #expect(agree)
  }

  @Test func shapes() {
    #expect(Shape([]).count == 1 && Shape([2, 0, 3]).count == 0 && Shape([2, 3]).rank == 2)
    #expect(Shape([4, 5]).extents == [4, 5] && Shape([4, 5])[1] == 5)
    #expect("\(Shape([4, 5]))" == "[4, 5]")
    #expect(Shape([4]) != Shape([4, 1]))
    #expect(Tensor.full(2, [3]).scalars == [2, 2, 2])
    #expect(Tensor([1, 2]).withSpan { $0[1] } == 2)
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Shape([1, 1, 1, 1, 1]) }
    await #expect(processExitsWith: .failure) { _ = Shape([-1]) }
    await #expect(processExitsWith: .failure) { _ = Shape([2])[1] }
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2], shape: [3]) }
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2]).reshaped([3]) }
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2]).item }
    await #expect(processExitsWith: .failure) {
      _ = Gradients(of: Tensor.variable([1, 2], shape: [2]))
    }
  }
}
