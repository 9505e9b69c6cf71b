import CKernels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Instruction sets of this machine: what it would choose, and all that it would not.
let instructionSets: [plumb_instructions] = [PLUMB_BASELINE, PLUMB_AVX2, PLUMB_AVX512]
  .filter { $0.rawValue <= plumb_best_instructions().rawValue }

/// Products with packed weights, on every instruction set.
@Suite struct PackedLinearTests {
  private struct Case {
    var rows: Int
    var inner: Int
    var outer: Int
    var finish = PLUMB_STORE
    var isHostile = false
    var hasBias = true

    var isGated: Bool { finish == PLUMB_SWIGLU }
  }

  private static let extremes: [Float] = [
    .infinity, -.infinity, .nan, 0, -0.0, .leastNonzeroMagnitude, -.leastNormalMagnitude, 88.5,
    -104, 1e15,
  ]

  private func numbers(_ count: Int, _ purpose: String, isHostile: Bool = false) -> [Float] {
    var stream = RandomStream(seed: 3, purpose: purpose)
    return (0..<count).map { _ in
      let ordinary = stream.normal()
      let choice = stream.uniform(below: 10 * Self.extremes.count)
      return isHostile && choice < Self.extremes.count ? Self.extremes[choice] : ordinary
    }
  }

  private func pack(_ w: [Float], _ size: Case, inputMajor: Bool = false) -> [Float] {
    let panels = plumb_panel_count(size.outer, size.isGated)
    var packed = [Float](repeating: .nan, count: panels * 64 * size.inner)
    let total = size.outer * (size.isGated ? 2 : 1)
    // In two calls, as threads divide it.
    let half = panels / 2
    let strides = inputMajor ? (1, total) : (size.inner, 1)
    plumb_pack_panels(
      size.outer, size.inner, size.isGated, w, strides.0, strides.1, 0, half, &packed)
    plumb_pack_panels(
      size.outer, size.inner, size.isGated, w, strides.0, strides.1, half, panels - half, &packed)
    return packed
  }

  /// The result for each set and the plain one, rows of y lying apart.
  private func results(_ size: Case, inputMajor: Bool = false) -> (fast: [[Float]], plain: [Float])
  {
    let total = size.outer * (size.isGated ? 2 : 1)
    let (xStride, yStride) = (size.inner + 3, size.outer + 2)
    let x = numbers(size.rows * xStride, "x", isHostile: size.isHostile)
    let w = numbers(total * size.inner, "w", isHostile: size.isHostile)
    let bias = numbers(total, "bias", isHostile: size.isHostile)
    let y = numbers(size.rows * yStride, "y")
    let panels = plumb_panel_count(size.outer, size.isGated)
    let packed = pack(w, size, inputMajor: inputMajor)
    var biasSize = size
    biasSize.inner = 1
    let packedBias = pack(bias, biasSize)
    func run(_ kernel: (UnsafePointer<plumb_packed>, UnsafeMutablePointer<Float>) -> Void)
      -> [Float]
    {
      var result = y
      packed.withUnsafeBufferPointer { packed in
        packedBias.withUnsafeBufferPointer { packedBias in
          var weight = plumb_packed(
            panels: packed.baseAddress, bias: size.hasBias ? packedBias.baseAddress : nil,
            inner: size.inner, outer: size.outer, is_gated: size.isGated)
          kernel(&weight, &result)
        }
      }
      return result
    }
    let plain = run { weight, result in
      plumb_packed_linear_naive(
        size.rows, x, xStride, weight, 0, panels, size.finish, result, yStride)
    }
    let fast = instructionSets.map { set in
      run { weight, result in
        let half = panels / 2
        plumb_packed_linear_on(
          set, size.rows, x, xStride, weight, 0, half, size.finish, result, yStride)
        plumb_packed_linear_on(
          set, size.rows, x, xStride, weight, half, panels - half, size.finish, result, yStride)
      }
    }
    return (fast, plain)
  }

  private func check(_ size: Case) {
    let (fast, plain) = results(size)
    for (set, result) in zip(instructionSets, fast) {
      expectClose(result, plain, absolute: 4e-5, relative: 2e-5, "\(size) on \(set)")
    }
  }

  @Test func everyInnerExtent() {
    withEvery("inner", in: 0...67) { inner in
      withEvery("outer", in: [1, 31, 64, 67]) { outer in
        check(Case(rows: 3, inner: inner, outer: outer))
      }
    }
  }

  @Test func everyNumberOfOutputs() {
    withEvery("outer", in: 0...67) { outer in
      withEvery("finish", in: [PLUMB_STORE, PLUMB_ADD, PLUMB_GELU, PLUMB_SWIGLU]) { finish in
        check(Case(rows: 2, inner: 9, outer: outer, finish: finish))
        check(Case(rows: 2, inner: 9, outer: outer, finish: finish, hasBias: false))
      }
    }
  }

  @Test func everyNumberOfRows() {
    withEvery("rows", in: 0...67) { rows in
      check(Case(rows: rows, inner: 13, outer: 66))
    }
  }

  @Test func hostileNumbers() {
    withEvery("rows", in: 1...9) { rows in
      withEvery("finish", in: [PLUMB_STORE, PLUMB_ADD, PLUMB_SWIGLU]) { finish in
        check(Case(rows: rows, inner: 7, outer: 67, finish: finish, isHostile: true))
      }
    }
  }

  /// A weight that is stored with the inputs first packs to the same panels.
  @Test func inputMajorWeights() {
    let size = Case(rows: 1, inner: 21, outer: 70)
    let w = numbers(size.inner * size.outer, "w")
    var transposed = w
    for o in 0..<size.outer {
      for k in 0..<size.inner { transposed[k * size.outer + o] = w[o * size.inner + k] }
    }
    #expect(pack(w, size) == pack(transposed, size, inputMajor: true))
  }

  /// Packing puts every number where the product looks for it.
  @Test func productIsThatOfTheWeightItself() {
    let (rows, inner, outer) = (2, 5, 70)
    let (x, w) = (numbers(rows * inner, "x"), numbers(outer * inner, "w"))
    var expected = [Float](repeating: 0, count: rows * outer)
    for i in expected.indices {
      for k in 0..<inner {
        expected[i] += x[i / outer * inner + k] * w[i % outer * inner + k]
      }
    }
    var found = [Float](repeating: .nan, count: rows * outer)
    let packed = pack(w, Case(rows: rows, inner: inner, outer: outer))
    packed.withUnsafeBufferPointer { packed in
      var weight = plumb_packed(
        panels: packed.baseAddress, bias: nil, inner: inner, outer: outer, is_gated: false)
      plumb_packed_linear(rows, x, inner, &weight, 0, 2, PLUMB_STORE, &found, outer)
    }
    expectClose(found, expected, absolute: 1e-5, relative: 1e-5)
  }

  /// The bits of a row do not depend on how many rows are computed with it.
  @Test func rowsDoNotDependOnTheirNeighbours() {
    let (inner, outer) = (67, 130)
    let (x, w) = (numbers(20 * inner, "x"), numbers(outer * inner, "w"))
    let packed = pack(w, Case(rows: 20, inner: inner, outer: outer))
    packed.withUnsafeBufferPointer { packed in
      var weight = plumb_packed(
        panels: packed.baseAddress, bias: nil, inner: inner, outer: outer, is_gated: false)
      for set in instructionSets {
        var alone = [Float](repeating: 0, count: 20 * outer)
        alone.withUnsafeMutableBufferPointer { alone in
          x.withUnsafeBufferPointer { x in
            guard let to = alone.baseAddress, let from = x.baseAddress else { return }
            for row in 0..<20 {
              plumb_packed_linear_on(
                set, 1, from + row * inner, inner, &weight, 0, 3, PLUMB_STORE, to + row * outer,
                outer)
            }
          }
        }
        for rows in [2, 3, 5, 20] {
          var together = [Float](repeating: 0, count: rows * outer)
          plumb_packed_linear_on(
            set, rows, x, inner, &weight, 0, 3, PLUMB_STORE, &together, outer)
          #expect(together == Array(alone.prefix(rows * outer)), "\(rows) rows on \(set)")
        }
      }
    }
  }
}
