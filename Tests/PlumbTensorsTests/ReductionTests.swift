import PlumbTensors
import PlumbTestSupport
import Testing

@Suite struct ReductionTests {
  @Test func valuesByHand() {
    let x = Tensor([1, 2, 3, 4, 5, 6], shape: [2, 3])
    expectClose(x.sum(), Tensor(scalar: 21))
    expectClose(x.mean(), Tensor(scalar: 3.5))
    expectClose(x.sumLastAxis(), Tensor([6, 15]))
    expectClose(Tensor([1, 2, 3]).sumLastAxis(), Tensor(scalar: 6))
    expectClose(x.reshaped([1, 2, 3]).sumLastAxis(), Tensor([6, 15], shape: [1, 2]))
    expectClose(x.reshaped([6]).segmentSum(lengths: [1, 0, 3, 2]), Tensor([1, 0, 9, 11]))
    expectClose(Tensor([]).sum(), Tensor(scalar: 0))
    expectClose(Tensor([]).segmentSum(lengths: []), Tensor([]))
  }

  @Test func gradients() {
    let x = Tensor([0.3, -1.2, 0.8, 2, -0.7, 1.1], shape: [2, 3])
    checkGradients(of: [x]) { $0[0].sum() }
    checkGradients(of: [x]) { $0[0].mean() }
    checkGradients(of: [x]) { $0[0].sumLastAxis() }
    checkGradients(of: [x]) { $0[0].reshaped([6]).segmentSum(lengths: [1, 0, 3, 2]) }
    checkGradients(of: [x]) { ($0[0].sumLastAxis().square() * Tensor([1, 2])).mean() }
  }

  /// A running Float32 sum of 0.1 is off by 1 in 100 here, since 0.1 is lost against a large total.
  @Test func longSumsKeepTheirDigits() {
    let count = 3_000_001
    let expected = Float(Double(count) * Double(Float(0.1)))
    expectClose(Tensor.full(0.1, [count]).sum().item, expected, absolute: 0, relative: 1e-6)
    expectClose(Tensor.full(0.1, [count]).mean().item, 0.1, absolute: 0, relative: 1e-6)
    expectClose(
      Tensor.full(0.1, [1, count]).sumLastAxis().item, expected, absolute: 0, relative: 1e-6)
  }

  @Test func everyLengthIsSummedWhole() {
    withEvery("count", in: Array(0...67) + [511, 512, 513, 519, 520, 521, 1024, 1031]) { count in
      let values = (0..<count).map { Float($0 % 5) - 1.5 }
      expectClose(Tensor(values).sum().item, values.reduce(0, +))
    }
  }

  @Test func theSumIsLinear() {
    var stream = RandomStream(seed: 11, purpose: "linearity")
    withEvery("count", in: [1, 9, 600]) { count in
      let a = Tensor((0..<count).map { _ in stream.normal() })
      let b = Tensor((0..<count).map { _ in stream.normal() })
      let (s, t) = (stream.normal(), stream.normal())
      expectClose(
        (s * a + t * b).sum().item, s * a.sum().item + t * b.sum().item, absolute: 1e-4)
      let lengths = [count / 3, 0, count - count / 3]
      expectClose(a.segmentSum(lengths: lengths).sum().item, a.sum().item, absolute: 1e-4)
      expectClose(
        a.reshaped([count, 1]).sumLastAxis(), a, absolute: 0, relative: 0, "rows of one")
    }
  }

  @Test func badShapesTrap() async {
    await #expect(processExitsWith: .failure) { _ = Tensor([]).mean() }
    await #expect(processExitsWith: .failure) { _ = Tensor(scalar: 1).sumLastAxis() }
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2]).segmentSum(lengths: [1]) }
    await #expect(processExitsWith: .failure) { _ = Tensor([1, 2]).segmentSum(lengths: [3, -1]) }
    await #expect(processExitsWith: .failure) {
      _ = Tensor.zeros([2, 2]).segmentSum(lengths: [4])
    }
  }
}
