import CKernels

/// Normalized states up to this many bytes are kept for backward: for larger ones memory counts more
/// than half a percent of a step.
private let keptNorm = 8 << 20

/// Each row divided by its root mean square, times a gain (Zhang and Sennrich 2019).
///
/// `y = weight x / sqrt(mean(x^2) + epsilon)`.
/// - Parameters:
///   - x: [N, D]; a tensor of higher rank is normalized along its last axis.
///   - weight: [D].
public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float) -> Tensor {
  let (rows, columns) = rowsToNormalize("rmsNorm", x, weight)
  let scales = Storage(count: rows)
  return Tensor.make(x.shape, inputs: [x, weight]) { result in
    guard let y = result.baseAddress else { return }
    Threads.split(rows, grain: rowGrain(columns)) { range in
      let start = range.lowerBound * columns
      plumb_rmsnorm(
        range.count, columns, x.base + start, weight.base, epsilon, y + start,
        scales.base + range.lowerBound)
    }
  } pullback: { gradient, cotangents in
    var dx = cotangents.open(x)
    var dw = cotangents.open(weight)
    eachRowChunk(rows, columns, partialsOf: [dw]) { range, partials in
      let start = range.lowerBound * columns
      plumb_rmsnorm_backward(
        range.count, columns, gradient.base + start, x.base + start, weight.base,
        scales.base + range.lowerBound, dx?.base(at: start), dx?.isFresh ?? true, partials[0])
    }
    cotangents.close(&dx)
    cotangents.close(&dw)
  }.remade(above: keptNorm) { [x = x.detached, weight = weight.detached] in
    rmsNorm(x, weight: weight, epsilon: epsilon)
  }
}

/// Each row shifted and scaled to mean 0 and variance 1, then by gain and bias.
///
/// Ba et al. 2016: `y = weight (x - mean) / sqrt(variance + epsilon) + bias`, the variance not corrected.
/// - Parameters:
///   - x: [N, D]; a tensor of higher rank is normalized along its last axis.
///   - weight: [D].
///   - bias: [D].
public func layerNorm(_ x: Tensor, weight: Tensor, bias: Tensor, epsilon: Float) -> Tensor {
  let (rows, columns) = rowsToNormalize("layerNorm", x, weight)
  precondition(
    bias.shape == weight.shape, "layerNorm: expected bias \(weight.shape), found \(bias.shape)")
  let means = Storage(count: rows)
  let scales = Storage(count: rows)
  return Tensor.make(x.shape, inputs: [x, weight, bias]) { result in
    guard let y = result.baseAddress else { return }
    Threads.split(rows, grain: rowGrain(columns)) { range in
      let start = range.lowerBound * columns
      plumb_layernorm(
        range.count, columns, x.base + start, weight.base, bias.base, epsilon, y + start,
        means.base + range.lowerBound, scales.base + range.lowerBound)
    }
  } pullback: { gradient, cotangents in
    var dx = cotangents.open(x)
    var dw = cotangents.open(weight)
    var db = cotangents.open(bias)
    eachRowChunk(rows, columns, partialsOf: [dw, db]) { range, partials in
      let start = range.lowerBound * columns
      plumb_layernorm_backward(
        range.count, columns, gradient.base + start, x.base + start, weight.base,
        means.base + range.lowerBound, scales.base + range.lowerBound, dx?.base(at: start),
        dx?.isFresh ?? true, partials[0], partials[1])
    }
    cotangents.close(&dx)
    cotangents.close(&dw)
    cotangents.close(&db)
  }.remade(above: keptNorm) { [x = x.detached, weight = weight.detached, bias = bias.detached] in
    layerNorm(x, weight: weight, bias: bias, epsilon: epsilon)
  }
}

private func rowsToNormalize(
  _ name: String, _ x: Tensor, _ weight: Tensor
) -> (rows: Int, columns: Int) {
  precondition(x.shape.rank >= 1, "\(name): expected rows, found a scalar")
  let (rows, columns) = x.shape.matrix
  precondition(
    weight.shape == [columns], "\(name): expected weight [\(columns)], found \(weight.shape)")
  return (rows, columns)
}

/// How many rows are worth a thread of their own: some 10 µs of element-wise work.
func rowGrain(_ columns: Int) -> Int { max(1, 16_384 / max(1, columns)) }

/// Calls `body` for fixed chunks of rows, each with its own partial sums over rows.
///
/// The partial sums are added up in the order of the chunks, so the result does not depend on the
/// thread count. A total that is nil gets no partials.
private func eachRowChunk(
  _ rows: Int, _ columns: Int, partialsOf totals: [Cotangents.Share?],
  _ body: (Range<Int>, [UnsafeMutablePointer<Float>?]) -> Void
) {
  let chunks = max(1, min(16, rows / rowGrain(columns)))
  let partials = Storage(count: chunks * totals.count * columns)
  defer { withExtendedLifetime(partials) {} }
  partials.buffer.update(repeating: 0)
  Threads.each(chunks) { chunk in
    let own = partials.base + chunk * totals.count * columns
    body(
      (rows * chunk / chunks)..<(rows * (chunk + 1) / chunks),
      totals.indices.map { totals[$0] == nil ? nil : own + $0 * columns })
  }
  for (index, total) in totals.enumerated() {
    guard let total else { continue }
    if total.isFresh { total.buffer.update(repeating: 0) }
    plumb_add_rows(
      chunks, columns, totals.count * columns, partials.base + index * columns, total.base(at: 0))
  }
}
