import PlumbTensors
import PlumbTestSupport
import Testing

/// Values of either sign and order one, different in every place.
func spread(_ shape: Shape, seed: UInt64 = 0, scale: Float = 1) -> Tensor {
  var stream = RandomStream(seed: seed, purpose: "test")
  return Tensor((0..<shape.count).map { _ in scale * stream.normal() }, shape: shape)
}

@Suite struct LinearTests {
  /// Sizes on both sides of the skinny kernel's row limit, of the tile of 16 and of the lanes.
  @Test func valuesEqualTheDefinition() {
    withEvery("rows", in: [0, 1, 3, 4, 8, 9, 33]) { rows in
      withEvery("inner", in: [1, 15, 16, 35]) { inner in
        withEvery("outer", in: [1, 4, 6, 41]) { outer in
          let x = spread([rows, inner], seed: 1)
          let weight = spread([outer, inner], seed: 2)
          let bias = spread([outer], seed: 3)
          var expected = [Float](repeating: 0, count: rows * outer)
          let (xs, ws, bs) = (x.scalars, weight.scalars, bias.scalars)
          for i in 0..<rows {
            for j in 0..<outer {
              var total = Double(bs[j])
              for k in 0..<inner { total += Double(xs[i * inner + k] * ws[j * inner + k]) }
              expected[i * outer + j] = Float(total)
            }
          }
          expectClose(
            linear(x, weight: weight, bias: bias), Tensor(expected, shape: [rows, outer]),
            absolute: 1e-5, relative: 1e-5)
        }
      }
    }
  }

  @Test func gradients() {
    checkGradients(of: [spread([3, 4]), spread([5, 4], seed: 1), spread([5], seed: 2)]) {
      linear($0[0], weight: $0[1], bias: $0[2])
    }
    checkGradients(of: [spread([19, 4]), spread([2, 4], seed: 1)]) { linear($0[0], weight: $0[1]) }
    checkGradients(of: [spread([3, 3])]) { linear($0[0], weight: $0[0]) }
  }

  /// A row's result must not depend on the rows computed with it: decoding one or eight at a time.
  @Test func rowsOfSmallBatchesAreIndependent() {
    let weight = spread([37, 70], seed: 4)
    let x = spread([8, 70], seed: 5)
    let whole = linear(x, weight: weight).scalars
    for row in 0..<8 {
      let one = Tensor(Array(x.scalars[row * 70..<(row + 1) * 70]), shape: [1, 70])
      #expect(linear(one, weight: weight).scalars == Array(whole[row * 37..<(row + 1) * 37]))
    }
  }

  @Test func matmulInAllOrientations() {
    for transposeA in [false, true] {
      for transposeB in [false, true] {
        let a = spread(transposeA ? [3, 2] : [2, 3], seed: 6)
        let b = spread(transposeB ? [4, 3] : [3, 4], seed: 7)
        let product = matmul(a, b, transposeA: transposeA, transposeB: transposeB)
        #expect(product.shape == [2, 4])
        var expected: [Float] = []
        for i in 0..<2 {
          for j in 0..<4 {
            var total: Float = 0
            for k in 0..<3 {
              let left = a.scalars[transposeA ? k * 2 + i : i * 3 + k]
              let right = b.scalars[transposeB ? j * 3 + k : k * 4 + j]
              total += left * right
            }
            expected.append(total)
          }
        }
        expectClose(product.scalars, expected)
        checkGradients(of: [a, b]) {
          matmul($0[0], $0[1], transposeA: transposeA, transposeB: transposeB)
        }
      }
    }
  }

  @Test func embeddingGathersAndScatters() {
    let table = spread([5, 3])
    let values = table.scalars
    let expected = Array(values[12...]) + Array(values[..<3]) + Array(values[12...])
    #expect(embedding([4, 0, 4], weight: table).scalars == expected)
    checkGradients(of: [table]) { embedding([4, 0, 4], weight: $0[0]) }
    #expect(embedding([], weight: table).shape == [0, 3])
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = linear(spread([2, 3]), weight: spread([2, 4]))
    }
    await #expect(processExitsWith: .failure) {
      _ = linear(spread([2, 3]), weight: spread([4, 3]), bias: spread([3]))
    }
    await #expect(processExitsWith: .failure) { _ = matmul(spread([2, 3]), spread([2, 3])) }
    await #expect(processExitsWith: .failure) { _ = embedding([5], weight: spread([5, 3])) }
    await #expect(processExitsWith: .failure) { _ = embedding([-1], weight: spread([5, 3])) }
  }
}

@Suite struct RowOperationTests {
  @Test func gradients() {
    let x = spread([3, 6])
    checkGradients(of: [x, spread([6], seed: 1)]) {
      rmsNorm($0[0], weight: $0[1], epsilon: 1e-5)
    }
    checkGradients(of: [x, spread([6], seed: 1), spread([6], seed: 2)]) {
      layerNorm($0[0], weight: $0[1], bias: $0[2], epsilon: 1e-5)
    }
    checkGradients(of: [x]) { swiGLU(gateAndUp: $0[0]) }
    checkGradients(of: [x]) { gelu($0[0]) }
    checkGradients(of: [x]) { softmax($0[0]) }
    checkGradients(of: [x]) { logSoftmax($0[0]) }
    checkGradients(of: [spread([3, 8])]) {
      rotary($0[0], positions: [0, 7, 300], headDimension: 4, base: 10_000)
    }
  }

  /// Each operation must add to a gradient that is there already.
  @Test func gradientsAreAddedToOthers() {
    let x = spread([3, 6])
    let gain = spread([6], seed: 1)
    checkGradients(of: [x, gain]) { $0[0] * $0[1] + rmsNorm($0[0], weight: $0[1], epsilon: 1e-5) }
    checkGradients(of: [x, gain]) {
      $0[0] * $0[1] + layerNorm($0[0], weight: $0[1], bias: $0[1], epsilon: 1e-5)
    }
    checkGradients(of: [x]) { $0[0].sum() + swiGLU(gateAndUp: $0[0]).sum() }
    checkGradients(of: [x]) { $0[0] + gelu($0[0]) }
    checkGradients(of: [x]) { $0[0] + softmax($0[0]) }
    checkGradients(of: [x]) { $0[0] + logSoftmax($0[0]) }
    checkGradients(of: [x]) {
      $0[0] + rotary($0[0], positions: [2, 1, 0], headDimension: 6, base: 100)
    }
  }

  /// Many chunks of rows, whose partial sums must all arrive.
  @Test func sumsOverManyRows() throws {
    let x = spread([4_000, 70], seed: 9)
    let gain = Tensor.variable(spread([70]).scalars, shape: [70])
    let bias = Tensor.variable(spread([70]).scalars, shape: [70])
    let weights = spread([4_000, 70], seed: 10)
    let gradients = Gradients(
      of: (layerNorm(x, weight: gain, bias: bias, epsilon: 1e-5) * weights).sum())
    let normalized = layerNorm(
      x, weight: .full(1, [70]), bias: .zeros([70]), epsilon: 1e-5)
    expectClose(
      try #require(gradients[gain]).scalars,
      columnSums((normalized * weights).scalars, 70), absolute: 1e-3, relative: 1e-4)
    expectClose(
      try #require(gradients[bias]).scalars, columnSums(weights.scalars, 70), absolute: 1e-3,
      relative: 1e-4)
  }

  private func columnSums(_ x: [Float], _ columns: Int) -> [Float] {
    (0..<columns).map { column in
      Float(stride(from: column, to: x.count, by: columns).reduce(0.0) { $0 + Double(x[$1]) })
    }
  }

  @Test func softmaxSurvivesExtremes() {
    let x = Tensor([1000, 1000, -.infinity, 0, -1000, 3e38], shape: [2, 3])
    expectClose(softmax(x), Tensor([0.5, 0.5, 0, 0, 0, 1], shape: [2, 3]))
    expectClose(logSoftmax(x).scalars[0], -0.6931472)
    #expect(logSoftmax(x).scalars[2] == -.infinity)
    let undefined = softmax(Tensor([.nan, 1], shape: [1, 2])).scalars
    #expect(undefined.allSatisfy { $0.isNaN })
    #expect(softmax(spread([0, 3])).count == 0)
  }

  @Test func wrongShapesTrap() async {
    await #expect(processExitsWith: .failure) {
      _ = rmsNorm(spread([2, 3]), weight: spread([2]), epsilon: 0)
    }
    await #expect(processExitsWith: .failure) {
      _ = layerNorm(spread([2, 3]), weight: spread([3]), bias: spread([2]), epsilon: 0)
    }
    await #expect(processExitsWith: .failure) { _ = swiGLU(gateAndUp: spread([2, 3])) }
    await #expect(processExitsWith: .failure) { _ = softmax(spread([3])) }
    await #expect(processExitsWith: .failure) {
      _ = rotary(spread([2, 6]), positions: [0, 1], headDimension: 4, base: 10_000)
    }
    await #expect(processExitsWith: .failure) {
      _ = rotary(spread([2, 4]), positions: [0], headDimension: 4, base: 10_000)
    }
  }
}
