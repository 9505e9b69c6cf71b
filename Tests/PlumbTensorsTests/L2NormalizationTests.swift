import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct L2NormalizationTests {
  @Test func valuesByHand() {
    let x = Tensor([3, 4, 0, -2], shape: [2, 2])
    expectClose(x.l2Normalized(), Tensor([0.6, 0.8, 0, -1], shape: [2, 2]))
    expectClose(Tensor([3, 4]).l2Normalized(), Tensor([0.6, 0.8]))
  }

  @Test func everyRowHasLengthOneAtAnyScale() {
    var stream = RandomStream(seed: 13, purpose: "lengths")
    withEvery("scale", in: [1e-9, 1, 1e30] as [Float]) { scale in
      let x = Tensor((0..<60).map { _ in stream.normal() }, shape: [6, 10]) * scale
      expectClose(x.l2Normalized().square().sumLastAxis(), .full(1, [6]))
    }
  }

  @Test func aRowOfZerosStaysZero() {
    let x = Tensor.variable([0, 0], shape: [1, 2])
    let y = x.l2Normalized(epsilon: 0.5)
    expectClose(y.scalars, [0, 0])
    expectClose(Gradients(of: y.sum())[x]?.scalars ?? [], [2, 2])
  }

  @Test func gradients() {
    let x = Tensor([0.3, -1.2, 0.8, 2, -0.7, 1.1], shape: [2, 3])
    checkGradients(of: [x]) { $0[0].l2Normalized() }
    checkGradients(of: [x]) { $0[0].l2Normalized(epsilon: 2) }
  }

  @Test func badShapesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Tensor(scalar: 1).l2Normalized() }
    await #expect(processExitsWith: .failure) { _ = Tensor([1]).l2Normalized(epsilon: 0) }
  }
}
