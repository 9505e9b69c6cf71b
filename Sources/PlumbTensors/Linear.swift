import CKernels

/// `x weight^T + bias`: the weight lies [outputs, inputs], as in PyTorch.
///
/// - Parameters:
///   - x: [N, I].
///   - weight: [O, I].
///   - bias: [O].
/// - Returns: [N, O].
public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil) -> Tensor {
  precondition(
    x.shape.rank == 2 && weight.shape.rank == 2 && x.shape[1] == weight.shape[1],
    "linear: expected [N, I] and weight [O, I], found \(x.shape) and \(weight.shape)")
  let (rows, inner, outer) = (x.shape[0], x.shape[1], weight.shape[0])
  precondition(
    bias.map { $0.shape == [outer] } ?? true,
    "linear: expected bias [\(outer)], found \(bias?.shape ?? [])")
  let inputs = [x, weight] + (bias.map { [$0] } ?? [])
  let kept = weight.requiresGradient ? KeptTensor(x) : nil
  let receiver = x.withoutValues
  return Tensor.make([rows, outer], inputs: inputs) { result in
    guard let y = result.baseAddress else { return }
    if rows <= skinnyRows {
      EngineTrace.note(
        .skinny, MatrixView(x.base, rows, inner), MatrixView(weight.base, outer, inner).transposed,
        into: y, stride: outer)
      skinnyLinear(rows: rows, inner: inner, outer: outer, x.base, weight.base, into: y)
    } else {
      multiply(
        MatrixView(x.base, rows, inner), MatrixView(weight.base, outer, inner).transposed,
        into: y, stride: outer)
    }
    guard let bias else { return }
    Threads.split(rows, grain: max(1, 16_384 / max(1, outer))) { range in
      plumb_add_to_rows(range.count, outer, bias.base, y + range.lowerBound * outer)
    }
  } pullback: { gradient, cotangents in
    let g = MatrixView(gradient.base, rows, outer)
    cotangents.accumulate(into: receiver) { dx, isFresh in
      dx.withBase {
        multiply(
          g, MatrixView(weight.base, outer, inner), into: $0, stride: inner, beta: isFresh ? 0 : 1)
      }
    }
    cotangents.accumulate(into: weight) { dw, isFresh in
      guard let x = kept?.values else { return }
      defer { withExtendedLifetime(x) {} }
      dw.withBase {
        multiply(
          g.transposed, MatrixView(x.base, rows, inner), into: $0, stride: inner,
          beta: isFresh ? 0 : 1)
      }
    }
    guard let bias else { return }
    cotangents.accumulate(into: bias) { db, isFresh in
      addRows(of: gradient, rows: rows, columns: outer, into: db, isFresh: isFresh)
    }
  }
}

/// Logits over the vocabulary: `linear` under the name that models use.
///
/// - Parameters:
///   - hidden: [N, D].
///   - weight: [V, D].
/// - Returns: [N, V].
public func logits(hidden: Tensor, weight: Tensor) -> Tensor {
  linear(hidden, weight: weight)
}

/// The product of two matrices, each of which may be read transposed.
///
/// - Returns: [M, N] from [M, K] and [K, N] after transposition.
public func matmul(
  _ a: Tensor, _ b: Tensor, transposeA: Bool = false, transposeB: Bool = false
) -> Tensor {
  precondition(
    a.shape.rank == 2 && b.shape.rank == 2,
    "matmul: expected two matrices, found \(a.shape) and \(b.shape)")
  let left = matrix(a, transposeA)
  let right = matrix(b, transposeB)
  precondition(
    left.columns == right.rows,
    "matmul: inner extents differ, \(a.shape)\(transposeA ? "^T" : "") by "
      + "\(b.shape)\(transposeB ? "^T" : "")")
  let (rows, columns) = (left.rows, right.columns)
  return Tensor.make([rows, columns], inputs: [a, b]) { result in
    result.withBase { multiply(left, right, into: $0, stride: columns) }
  } pullback: { gradient, cotangents in
    let g = MatrixView(gradient.base, rows, columns)
    cotangents.accumulate(into: a) { da, isFresh in
      // dA = G B^T, or its transpose B G^T if A was read transposed.
      let other = matrix(b, transposeB)
      let (l, r) = transposeA ? (other, g.transposed) : (g, other.transposed)
      da.withBase { multiply(l, r, into: $0, stride: r.columns, beta: isFresh ? 0 : 1) }
    }
    cotangents.accumulate(into: b) { db, isFresh in
      let other = matrix(a, transposeA)
      let (l, r) = transposeB ? (g.transposed, other) : (other.transposed, g)
      db.withBase { multiply(l, r, into: $0, stride: r.columns, beta: isFresh ? 0 : 1) }
    }
  }
}

private func matrix(_ x: Tensor, _ isTransposed: Bool) -> MatrixView {
  let view = MatrixView(x.base, x.shape[0], x.shape[1])
  return isTransposed ? view.transposed : view
}

/// Up to this many rows our own kernel beats OpenBLAS, which first packs the whole weight.
private let skinnyRows = 24

/// `y = x weight^T` for few rows of x, divided over the threads along the rows of the weight.
func skinnyLinear(
  rows: Int, inner: Int, outer: Int, _ x: UnsafePointer<Float>, _ weight: UnsafePointer<Float>,
  into y: UnsafeMutablePointer<Float>
) {
  let blocks = (outer + 3) / 4
  Threads.split(blocks, grain: max(1, 32_768 / max(1, 4 * inner * rows))) { range in
    let part = (range.lowerBound * 4)..<min(outer, range.upperBound * 4)
    plumb_skinny_linear(
      rows, part.count, inner, x, weight + part.lowerBound * inner,
      y + part.lowerBound, outer)
  }
}

/// The sum over the rows of a matrix, written or added to `total`; divided along the columns.
func addRows(
  of x: Tensor, rows: Int, columns: Int, into total: UnsafeMutableBufferPointer<Float>,
  isFresh: Bool
) {
  if isFresh { total.update(repeating: 0) }
  total.withBase { total in
    Threads.split(columns, grain: max(16, 65_536 / max(1, rows))) { range in
      plumb_add_rows(
        rows, range.count, columns, x.base + range.lowerBound, total + range.lowerBound)
    }
  }
}

extension UnsafeMutableBufferPointer<Float> {
  /// Calls `body` with the first address; not at all for an empty buffer without memory.
  func withBase(_ body: (UnsafeMutablePointer<Float>) -> Void) {
    if let baseAddress { body(baseAddress) }
  }
}
