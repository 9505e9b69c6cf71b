import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct ConcatenationTests {
  @Test func valuesByHand() {
    let a = Tensor([1, 2, 3, 4], shape: [2, 2])
    let b = Tensor([5, 6], shape: [1, 2])
    expectClose(concatenated([a, b, a]), Tensor([1, 2, 3, 4, 5, 6, 1, 2, 3, 4], shape: [5, 2]))
    expectClose(concatenated([Tensor([1]), Tensor([]), Tensor([2, 3])]), Tensor([1, 2, 3]))
    expectClose(concatenated([a]), a)
  }

  @Test func gradients() {
    let a = Tensor([1, 2, 3, 4], shape: [2, 2])
    let b = Tensor([5, 6], shape: [1, 2])
    checkGradients(of: [a, b]) { concatenated([$0[0], $0[1], $0[0]]) }
    checkGradients(of: [a, b]) { concatenated([$0[0], $0[1]]).square() + $0[1] }
  }

  @Test func badShapesTrap() async {
    await #expect(processExitsWith: .failure) { _ = concatenated([]) }
    await #expect(processExitsWith: .failure) { _ = concatenated([Tensor(scalar: 1)]) }
    await #expect(processExitsWith: .failure) {
      _ = concatenated([Tensor.zeros([2, 2]), Tensor.zeros([2, 3])])
    }
    await #expect(processExitsWith: .failure) {
      _ = concatenated([Tensor.zeros([2, 2]), Tensor.zeros([2])])
    }
  }
}
