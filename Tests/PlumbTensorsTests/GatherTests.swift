import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct GatherTests {
  static let matrix = Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])

  @Test func valuesByHand() {
    expectClose(Self.matrix.rows(at: [2, 0, 2]), Tensor([5, 6, 1, 2, 5, 6], shape: [3, 2]))
    expectClose(Self.matrix.rows(at: []), Tensor([], shape: [0, 2]))
    expectClose(Tensor([7, 8, 9]).elements(at: [1, 1, 0]), Tensor([8, 8, 7]))
    expectClose(
      Self.matrix.columns(at: [1, 0, 1]), Tensor([2, 1, 2, 4, 3, 4, 6, 5, 6], shape: [3, 3]))
    expectClose(Self.matrix.columns(in: 1..<2), Tensor([2, 4, 6], shape: [3, 1]))
    expectClose(Self.matrix.columns(in: 1..<1), Tensor([], shape: [3, 0]))
  }

  @Test func gradients() {
    checkGradients(of: [Self.matrix]) { $0[0].rows(at: [2, 0, 2]) }
    checkGradients(of: [Self.matrix]) { $0[0].columns(at: [1, 0, 1]) }
    checkGradients(of: [Self.matrix]) { $0[0].columns(in: 1..<2) }
    checkGradients(of: [Tensor([7, 8, 9])]) { $0[0].elements(at: [1, 1, 0]) }
  }

  /// The share of a gather is added to what is there already, never laid over it.
  @Test func gradientsOfSeveralGathersAddUp() {
    checkGradients(of: [Self.matrix]) {
      $0[0].rows(at: [0, 1]).square().sum() + $0[0].columns(at: [1]).sum()
        + $0[0].rows(at: [1, 1]).sum()
    }
  }

  @Test func aPermutationAndItsInverseGiveBackTheRows() {
    var stream = RandomStream(seed: 12, purpose: "gather")
    let order = stream.permutation(40)
    let inverse = order.indices.sorted { order[$0] < order[$1] }
    let x = Tensor((0..<120).map { _ in stream.normal() }, shape: [40, 3])
    expectClose(x.rows(at: order).rows(at: inverse), x, absolute: 0, relative: 0)
  }

  @Test func badShapesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).rows(at: [3]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).rows(at: [-1]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3]).rows(at: [0]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).elements(at: [0]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3]).elements(at: [3]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).columns(at: [2]) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3, 2]).columns(in: 1..<3) }
    await #expect(processExitsWith: .failure) { _ = Tensor.zeros([3]).columns(in: 0..<1) }
  }
}
