import CKernels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Every fast kernel against its plain twin, for all sizes around the widths of the registers, and
/// for numbers that are not numbers.
@Suite struct KernelTests: KernelTesting {
  /// The largest relative error of our exponential over its whole range is what the rest builds on.
  @Test func exponentialIsAccurate() {
    var worst: Float = 0
    for i in stride(from: -87.0, through: 88.0, by: 0.0137) {
      // softmax([x, 0]) = e^x / (e^x + 1) hides it; silu(-x) / -x = 1 / (1 + e^x) does not.
      let x = Float(i)
      var y: Float = 0
      plumb_swiglu(1, 1, [-x, 1], &y)
      let expected = Double(-x) / (1 + exponential(Double(x)))
      if expected != 0 { worst = max(worst, Float(abs(Double(y) - expected) / abs(expected))) }
    }
    #expect(worst < 5e-7, "\(worst)")
  }

  private func exponential(_ x: Double) -> Double {
    // (1 + x / 2^40)^(2^40) loses digits; a series on a halved argument does not.
    var halvings = 0
    var reduced = x
    while abs(reduced) > 0.01 {
      reduced /= 2
      halvings += 1
    }
    var (sum, term) = (1.0, 1.0)
    for n in 1...12 {
      term *= reduced / Double(n)
      sum += term
    }
    for _ in 0..<halvings { sum *= sum }
    return sum
  }

  @Test func activations() {
    withEvery("columns", in: 0...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        let x = numbers(6 * columns, seed: columns, hostile: hostile)
        var fast = [Float](repeating: 7, count: 3 * columns)
        var plain = fast
        plumb_swiglu(3, columns, x, &fast)
        plumb_swiglu_naive(3, columns, x, &plain)
        expectSame(fast, plain)
        var (fastAll, plainAll) = (x, x)
        plumb_gelu(x.count, x, &fastAll)
        plumb_gelu_naive(x.count, x, &plainAll)
        // The cube overflows at 1e13, where the tanh form is already the identity or 0.
        for i in x.indices where abs(x[i]) < 1e12 { expectSame([fastAll[i]], [plainAll[i]]) }
      }
    }
  }

  @Test func softmaxes() {
    withEvery("columns", in: 1...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        let x = numbers(3 * columns, seed: 100 + columns, hostile: hostile)
        var fast = [Float](repeating: 7, count: x.count)
        var plain = fast
        plumb_softmax(3, columns, x, &fast)
        plumb_softmax_naive(3, columns, x, &plain)
        expectSame(fast, plain)
        plumb_log_softmax(3, columns, x, &fast)
        plumb_log_softmax_naive(3, columns, x, &plain)
        expectSame(fast, plain)
      }
    }
  }

  @Test func tokenLogprobs() {
    withEvery("columns", in: 1...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        var x = numbers(3 * columns, seed: 200 + columns, hostile: hostile)
        // An infinite logit has no finite entropy to compare.
        if hostile { x = x.map { $0 == .infinity || abs($0) > 1e30 ? -.infinity : $0 } }
        let targets = (0..<3).map { Int32($0 * 31 % columns) }
        var fast = Triple(x: [0, 0, 0], y: [0, 0, 0], z: [0, 0, 0])
        var plain = fast
        plumb_token_logprobs(3, columns, x, targets, &fast.x, &fast.y, &fast.z)
        plumb_token_logprobs_naive(3, columns, x, targets, &plain.x, &plain.y, &plain.z)
        for row in 0..<3 where plain.y[row].isFinite {
          expectSame([fast.x[row]], [plain.x[row]], tolerance: 1e-5)
          expectSame([fast.y[row]], [plain.y[row]], tolerance: 1e-5)
          expectSame([fast.z[row]], [plain.z[row]], tolerance: 1e-5)
        }
      }
    }
  }

  @Test func norms() {
    withEvery("columns", in: 1...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        let x = numbers(3 * columns, seed: 300 + columns, hostile: hostile)
          .map { abs($0) > 1e30 ? .infinity : $0 }  // squares of larger ones overflow Float only
        let (weight, bias) = (numbers(columns, seed: 1), numbers(columns, seed: 2))
        var fast = [Float](repeating: 7, count: x.count)
        var plain = fast
        var (scales, plainScales) = (
          [Float](repeating: 0, count: 3), [Float](repeating: 0, count: 3)
        )
        var (means, plainMeans) = (scales, scales)
        plumb_rmsnorm(3, columns, x, weight, 1e-6, &fast, &scales)
        plumb_rmsnorm_naive(3, columns, x, weight, 1e-6, &plain, &plainScales)
        expectSame(fast, plain)
        expectSame(scales, plainScales)
        plumb_layernorm(3, columns, x, weight, bias, 1e-2, &fast, &means, &scales)
        plumb_layernorm_naive(3, columns, x, weight, bias, 1e-2, &plain, &plainMeans, &plainScales)
        expectClose(fast, plain, absolute: 2e-5, relative: 2e-5)
      }
    }
  }

  @Test func rotation() {
    let positions: [Int32] = [0, 3, 1]
    withEvery("half", in: 1...34) { half in
      let dimension = 2 * half
      let x = numbers(3 * 2 * dimension, seed: 400 + half)
      var (cosines, sines): ([Float], [Float]) = ([], [])
      // The tables by way of the plain kernel: it turns (1, 0) to (cos, sin).
      var unit = [Float](repeating: 0, count: dimension)
      for i in 0..<half { unit[i] = 1 }
      for position in Int32(0)..<4 {
        var turned = unit
        plumb_rotary_naive(1, 1, dimension, unit, [position], 100, &turned)
        cosines += turned[..<half]
        sines += turned[half...]
      }
      var fast = [Float](repeating: 7, count: x.count)
      var plain = fast
      plumb_rotary(3, 2, dimension, x, positions, cosines, sines, 1, true, &fast)
      plumb_rotary_naive(3, 2, dimension, x, positions, 100, &plain)
      expectSame(fast, plain)
      var back = x.map { _ in Float(1) }
      plumb_rotary(3, 2, dimension, fast, positions, cosines, sines, -1, false, &back)
      expectSame(back, x.map { $0 + 1 })
    }
  }

  @Test func rotationInPlace() {
    let positions: [Int32] = [0, 3, 1]
    withEvery("half", in: 1...34) { half in
      let (dimension, stride) = (2 * half, 4 * half + 5)
      let x = numbers(3 * stride, seed: 450 + half, hostile: true)
      let angles = numbers(4 * half, seed: 451 + half)
      let (cosines, sines) = (angles.map { $0 * 0.5 }, angles.map { 1 - $0 })
      var fast = x
      plumb_rotary_in_place(3, 2, dimension, positions, cosines, sines, 1, &fast, stride)
      var plain = x
      for row in 0..<3 {
        let heads = Array(x[row * stride..<row * stride + 2 * dimension])
        var turned = heads
        plumb_rotary(1, 2, dimension, heads, [positions[row]], cosines, sines, 1, true, &turned)
        plain.replaceSubrange(row * stride..<row * stride + 2 * dimension, with: turned)
      }
      expectSame(fast, plain)
    }
  }

  @Test func transposition() {
    withEvery("rows", in: 0...67) { rows in
      for columns in [0, 1, 15, 16, 17, 32, 48, 67] {
        let (xStride, yStride) = (columns + 3, rows + 2)
        let x = numbers(rows * xStride, seed: rows, hostile: true)
        var fast = [Float](repeating: 7, count: columns * yStride)
        var plain = fast
        plumb_transpose(rows, columns, x, xStride, &fast, yStride)
        plumb_transpose_naive(rows, columns, x, xStride, &plain, yStride)
        let isSame = fast.map(\.bitPattern) == plain.map(\.bitPattern)
        #expect(isSame, "\(columns) columns")
      }
    }
  }

  @Test func skinnyProducts() {
    withEvery("rows", in: 0...5) { rows in
      withEvery("inner", in: 0...67) { inner in
        withEvery("outer", in: [0, 1, 4, 7, 66]) { outer in
          let (x, w) = (numbers(rows * inner, seed: 5), numbers(outer * inner, seed: 6))
          var fast = [Float](repeating: 7, count: rows * outer)
          var plain = fast
          plumb_skinny_linear(rows, outer, inner, x, w, &fast, outer)
          plumb_skinny_linear_naive(rows, outer, inner, x, w, &plain, outer)
          expectClose(fast, plain, absolute: 2e-5, relative: 2e-5)
        }
      }
    }
  }

  @Test func adamW() {
    withEvery("count", in: 0...67) { count in
      let start = numbers(count, seed: 700)
      let gradient = numbers(count, seed: 701)
      var fast = Triple(x: start, y: start.map { $0 / 9 }, z: start.map { $0 * $0 / 7 })
      var plain = fast
      plumb_adamw(
        count, &fast.x, gradient, &fast.y, &fast.z, 0.5, 0.9, 0.99, 1e-8, 0.01, 1.5, 0.999)
      plumb_adamw_naive(
        count, &plain.x, gradient, &plain.y, &plain.z, 0.5, 0.9, 0.99, 1e-8, 0.01, 1.5, 0.999)
      expectSame(fast.x + fast.y + fast.z, plain.x + plain.y + plain.z)
    }
  }

  @Test func finiteness() {
    withEvery("count", in: 1...67) { count in
      let x = numbers(count, seed: 8)
      #expect(plumb_all_finite(count, x))
      for bad in [Float.infinity, -.infinity, .nan] {
        var broken = x
        broken[count * 7 % count] = bad
        #expect(!plumb_all_finite(count, broken))
        broken = x
        broken[count - 1] = bad
        #expect(!plumb_all_finite(count, broken))
      }
    }
  }
}
