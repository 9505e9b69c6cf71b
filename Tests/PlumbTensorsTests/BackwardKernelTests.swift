import CKernels
import PlumbTensors
import PlumbTestSupport
import Testing

/// The gradients of kernels against their plain twins; written and added, with extremes among the
/// numbers and without.
@Suite struct BackwardKernelTests: KernelTesting {
  private func everyCase(_ body: (_ columns: Int, _ isHostile: Bool, _ isFresh: Bool) -> Void) {
    withEvery("columns", in: 0...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        withEvery("fresh", in: [false, true]) { fresh in body(columns, hostile, fresh) }
      }
    }
  }

  @Test func activations() {
    everyCase { columns, hostile, fresh in
      let x = numbers(6 * columns, seed: columns, hostile: hostile)
      let g = numbers(3 * columns, seed: 10 + columns)
      var fast = numbers(6 * columns, seed: 20)
      var plain = fast
      plumb_swiglu_backward(3, columns, g, x, &fast, fresh)
      plumb_swiglu_backward_naive(3, columns, g, x, &plain, fresh)
      expectSame(fast, plain, tolerance: 2e-5)
      let moderate = x.map { abs($0) > 1e12 ? .nan : $0 }  // the cube overflows a Float beyond
      let slopes = numbers(6 * columns, seed: 30)
      (fast, plain) = (slopes, slopes)
      plumb_gelu_backward(x.count, slopes, moderate, &fast, fresh)
      plumb_gelu_backward_naive(x.count, slopes, moderate, &plain, fresh)
      expectSame(fast, plain, tolerance: 2e-5)
    }
  }

  @Test func softmaxes() {
    everyCase { columns, hostile, fresh in
      // Results of a softmax of extremes: some rows are all NaN, others have a single 1.
      let x = numbers(3 * columns, seed: 100 + columns, hostile: hostile)
      let g = numbers(3 * columns, seed: 110)
      var y = x
      var fast = numbers(x.count, seed: 120)
      var plain = fast
      plumb_softmax_naive(3, columns, x, &y)
      plumb_softmax_backward(3, columns, g, y, &fast, fresh)
      plumb_softmax_backward_naive(3, columns, g, y, &plain, fresh)
      expectSame(fast, plain, tolerance: 2e-5)
      plumb_log_softmax_naive(3, columns, x, &y)
      plumb_log_softmax_backward(3, columns, g, y, &fast, fresh)
      plumb_log_softmax_backward_naive(3, columns, g, y, &plain, fresh)
      expectSame(fast, plain, tolerance: 2e-5)
    }
  }

  @Test func norms() {
    everyCase { columns, hostile, fresh in
      let x = numbers(3 * columns, seed: 200 + columns, hostile: hostile)
        .map { abs($0) > 1e30 ? .infinity : $0 }  // products of larger ones overflow Float only
      let g = numbers(3 * columns, seed: 210)
      let weight = numbers(columns, seed: 211)
      let (means, scales): ([Float], [Float]) = ([0.25, -1, 0], [0.5, 2, 1])
      let start = Triple(
        x: numbers(x.count, seed: 220), y: numbers(columns, seed: 221),
        z: numbers(columns, seed: 222))
      var (fast, plain) = (start, start)
      plumb_rmsnorm_backward(3, columns, g, x, weight, scales, &fast.x, fresh, &fast.y)
      plumb_rmsnorm_backward_naive(3, columns, g, x, weight, scales, &plain.x, fresh, &plain.y)
      expectSame(fast.all, plain.all, tolerance: 1e-3)
      (fast, plain) = (start, start)
      plumb_layernorm_backward(
        3, columns, g, x, weight, means, scales, &fast.x, fresh, &fast.y, &fast.z)
      plumb_layernorm_backward_naive(
        3, columns, g, x, weight, means, scales, &plain.x, fresh, &plain.y, &plain.z)
      expectSame(fast.all, plain.all, tolerance: 1e-3)
    }
  }

  @Test func tokenLogprobs() {
    withEvery("columns", in: 1...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        let x = numbers(3 * columns, seed: 300 + columns, hostile: hostile)
        let targets = (0..<3).map { Int32($0 * 31 % columns) }
        let (g, logsumexps): ([Float], [Float]) = ([1, -0.5, 0], [4, 3, 80])
        var (fast, plain) = (x, x)
        plumb_token_logprobs_backward(3, columns, &fast, targets, logsumexps, g)
        plumb_token_logprobs_backward_naive(3, columns, &plain, targets, logsumexps, g)
        // Beyond e^88 only the plain one is finite.
        for i in x.indices where !(x[i] - logsumexps[i / columns] > 80) {
          expectSame([fast[i]], [plain[i]], tolerance: 2e-5)
        }
      }
    }
  }

  @Test func tokenEntropies() {
    withEvery("columns", in: 1...67) { columns in
      withEvery("hostile", in: [false, true]) { hostile in
        let x = numbers(3 * columns, seed: 300 + columns, hostile: hostile)
        let targets = (0..<3).map { Int32($0 * 31 % columns) }
        let (g, e): ([Float], [Float]) = ([1, -0.5, 0], [0.3, -2, 1])
        let (logsumexps, entropies): ([Float], [Float]) = ([4, 3, 80], [1.5, 0.2, 2])
        var (fast, plain) = (x, x)
        plumb_token_entropy_backward(3, columns, &fast, targets, logsumexps, entropies, g, e)
        plumb_token_entropy_backward_naive(
          3, columns, &plain, targets, logsumexps, entropies, g, e)
        // Beyond e^88 only the plain one is finite.
        for i in x.indices where !(x[i] - logsumexps[i / columns] > 80) {
          expectSame([fast[i]], [plain[i]], tolerance: 1e-4)
        }
      }
    }
  }

  /// Tiles of attention; with `visible` 0 the first row is masked as a whole.
  @Test(arguments: [0, 1, 3]) func causalTiles(visible: Int) {
    let rows = 5
    withEvery("width", in: (visible + rows - 1)...67) { width in
      withEvery("hostile", in: [false, true]) { hostile in
        let x = numbers(rows * width, seed: 500 + width, hostile: hostile)
        var (fast, plain) = (x, x)
        var sums = [[Float]](repeating: .init(repeating: 0, count: rows), count: 2)
        var logs = [[Float]](repeating: .init(repeating: 0, count: 2 * rows), count: 2)
        plumb_causal_exponentials(rows, width, visible, &fast, &sums[0], &logs[0], 2)
        plumb_causal_exponentials_naive(rows, width, visible, &plain, &sums[1], &logs[1], 2)
        expectSame(fast, plain)
        expectSame(sums[0] + logs[0], sums[1] + logs[1])
        if visible == 0 {
          #expect(fast[..<width].allSatisfy { $0 == 0 } && sums[0][0] == 0)
        }
        let deltas = numbers(rows, seed: 3)
        let shifts = logs[1].map { $0.isFinite && abs($0) < 80 ? $0 : 0 }
        let scores = x.map { abs($0) < 80 || $0.isNaN || $0 == -.infinity ? $0 : 0 }
        var (fastScores, plainScores) = (scores, scores)
        (fast, plain) = (numbers(x.count, seed: 4), numbers(x.count, seed: 4))
        plumb_causal_backward(
          rows, width, visible, 0.5, shifts, 2, deltas, &fastScores, &fast)
        plumb_causal_backward_naive(
          rows, width, visible, 0.5, shifts, 2, deltas, &plainScores, &plain)
        expectSame(fastScores + fast, plainScores + plain, tolerance: 2e-5)
      }
    }
  }

  @Test func rowDots() {
    withEvery("columns", in: 0...67) { columns in
      let stride = columns + 3
      let (a, b) = (numbers(4 * stride, seed: 600), numbers(4 * stride, seed: 601))
      var (fast, plain): ([Float], [Float]) = ([7, 7, 7, 7], [7, 7, 7, 7])
      plumb_row_dots(4, columns, stride, a, b, &fast)
      plumb_row_dots_naive(4, columns, stride, a, b, &plain)
      expectSame(fast, plain, tolerance: 2e-5)
    }
  }
}
