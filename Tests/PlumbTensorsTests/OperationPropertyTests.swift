import PlumbTensors
import PlumbTestSupport
import Testing

/// Identities that tie the small operations to one another, on random values and sizes.
@Suite struct OperationPropertyTests {
  static func normals(_ shape: Shape, row: Int) -> Tensor {
    var stream = RandomStream(seed: 21, purpose: "properties", row: row)
    return Tensor((0..<shape.count).map { _ in stream.normal() }, shape: shape)
  }

  @Test func inversesGiveBackTheValues() {
    withEvery("count", in: [1, 8, 33]) { count in
      let x = Self.normals([count], row: 0)
      let y = Self.normals([count], row: 1) + 5
      expectClose(x + y - y, x, absolute: 2e-6)
      expectClose(x * y / y, x)
      expectClose(x.exp().log(), x, absolute: 1e-6)
      expectClose(x.square().sqrt(), x.abs())
      expectClose(-(-x), x, absolute: 0, relative: 0)
      expectClose(minimum(x, y) + maximum(x, y), x + y, absolute: 1e-6)
      expectClose(x.relu() - (-x).relu(), x, absolute: 0, relative: 0)
      expectClose(x.sigmoid() + (-x).sigmoid(), .full(1, [count]))
      expectClose(x.logSigmoid() - (-x).logSigmoid(), x, absolute: 1e-6)
      expectClose(2 * (2 * x).sigmoid() - 1, x.tanh(), absolute: 1e-6)
      expectClose(minimum(maximum(x, Tensor([-0.5])), Tensor([0.7])), x.clamped(-0.5, 0.7))
    }
  }

  @Test func partsLaidTogetherAreFoundAgain() {
    withEvery("rows", in: [0, 1, 6]) { rows in
      let (a, b) = (Self.normals([rows, 3], row: 2), Self.normals([4, 3], row: 3))
      let joined = concatenated([a, b])
      expectClose(joined.rows(at: Array(0..<rows)), a, absolute: 0, relative: 0)
      expectClose(joined.rows(at: Array(rows..<(rows + 4))), b, absolute: 0, relative: 0)
      expectClose(joined.columns(in: 1..<3), joined.columns(at: [1, 2]), absolute: 0, relative: 0)
      expectClose(
        joined.sumLastAxis(),
        joined.reshaped([joined.count]).segmentSum(lengths: Array(repeating: 3, count: rows + 4)),
        absolute: 1e-6)
    }
  }

  @Test func directionsDoNotDependOnLengths() {
    let x = Self.normals([5, 7], row: 4)
    let lengths = Self.normals([5, 1], row: 5).abs() + 0.1
    expectClose((x * lengths).l2Normalized(), x.l2Normalized(), absolute: 1e-6)
  }

  /// Every operation between a parameter and the loss, first with the parameter as a variable, then as an
  /// entry of a block, where gradients are added to what lies there.
  @Test func aParameterGetsTheGradientOfAVariable() {
    func loss(_ w: Tensor, _ bias: Tensor) -> Tensor {
      let mixed = concatenated([w * bias, w.rows(at: [2, 2, 0]) - bias, maximum(w, -w / 2)])
      let picked = mixed.columns(at: [1, 1, 0]).l2Normalized().sumLastAxis()
      return (picked.sigmoid() * picked).segmentSum(lengths: [4, 5]).square().mean()
        + (bias.exp() + 1).log().sum() + w.mean() + w.sum()
    }
    var layout = ParameterLayout()
    let weightID = layout.add("weight", [3, 2], .normal(standardDeviation: 1))
    let biasID = layout.add("bias", [2], .normal(standardDeviation: 1))
    let parameters = ParameterBlock(layout: layout, seed: 3)
    let w = Tensor.variable(parameters.values(of: weightID), shape: [3, 2])
    let bias = Tensor.variable(parameters.values(of: biasID), shape: [2])
    let gradients = Gradients(of: loss(w, bias))

    var block = GradientBlock(for: parameters)
    block.accumulate(loss(parameters[weightID], parameters[biasID]))
    expectClose(block[weightID].scalars, gradients[w]?.scalars ?? [], absolute: 1e-6)
    expectClose(block[biasID].scalars, gradients[bias]?.scalars ?? [], absolute: 1e-6)
    block.accumulate(loss(parameters[weightID], parameters[biasID]), scale: 2)
    expectClose(
      block[weightID].scalars, gradients[w].map { ($0 * 3).scalars } ?? [], absolute: 1e-5)
    checkGradients(of: [w, bias], step: 0x1p-9) { loss($0[0], $0[1]) }
  }
}
