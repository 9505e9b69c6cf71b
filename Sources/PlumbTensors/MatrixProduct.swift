import COpenBLAS

/// A matrix somewhere in memory: rows lie `stride` apart, and it may be read transposed.
struct MatrixView {
  var base: UnsafePointer<Float>
  /// The extents as read, after transposition.
  var rows: Int
  var columns: Int
  var stride: Int
  var isTransposed = false

  init(_ base: UnsafePointer<Float>, _ rows: Int, _ columns: Int, stride: Int? = nil) {
    self.base = base
    self.rows = rows
    self.columns = columns
    self.stride = stride ?? columns
  }

  var transposed: MatrixView {
    var result = self
    swap(&result.rows, &result.columns)
    result.isTransposed.toggle()
    return result
  }

  func rows(_ range: Range<Int>) -> MatrixView {
    var result = self
    result.base += range.lowerBound * (isTransposed ? 1 : stride)
    result.rows = range.count
    return result
  }

  func columns(_ range: Range<Int>) -> MatrixView {
    transposed.rows(range).transposed
  }
}

/// `c = alpha a b + beta c` on the calling thread; rows of c lie `stride` apart.
func multiplyHere(
  _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>, stride: Int,
  alpha: Float = 1, beta: Float = 0
) {
  EngineTrace.note(.tile, a, b, into: c, stride: stride, beta: beta)
  multiplyPart(a, b, into: c, stride: stride, alpha: alpha, beta: beta)
}

/// A product, or the part of one that a thread computes.
private func multiplyPart(
  _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>, stride: Int,
  alpha: Float, beta: Float
) {
  precondition(
    a.columns == b.rows,
    "matrix product: inner extents differ, [\(a.rows), \(a.columns)] by [\(b.rows), \(b.columns)]")
  guard a.rows > 0, b.columns > 0 else { return }
  cblas_sgemm(
    CblasRowMajor, a.isTransposed ? CblasTrans : CblasNoTrans,
    b.isTransposed ? CblasTrans : CblasNoTrans,
    Int32(a.rows), Int32(b.columns), Int32(a.columns), alpha, a.base, Int32(max(1, a.stride)),
    b.base, Int32(max(1, b.stride)), beta, c, Int32(max(1, stride)))
}

/// `c = alpha a b + beta c`, divided over the threads along the longer side of c.
func multiply(
  _ a: MatrixView, _ b: MatrixView, into c: UnsafeMutablePointer<Float>, stride: Int,
  alpha: Float = 1, beta: Float = 0
) {
  EngineTrace.note(.divided, a, b, into: c, stride: stride, beta: beta)
  let byRows = a.rows >= b.columns
  let extent = byRows ? a.rows : b.columns
  // Below about 2 million operations (20 µs) waking a worker costs more than it brings. Bounds that
  // are multiples of 16 keep whole register tiles on both sides.
  let work = 2 * a.rows * b.columns * a.columns
  let tiles = (extent + 15) / 16
  Threads.split(tiles, grain: max(1, tiles * 1_000_000 / max(1, work))) { range in
    let part = (range.lowerBound * 16)..<min(extent, range.upperBound * 16)
    if byRows {
      multiplyPart(
        a.rows(part), b, into: c + part.lowerBound * stride, stride: stride, alpha: alpha,
        beta: beta)
    } else {
      multiplyPart(
        a, b.columns(part), into: c + part.lowerBound, stride: stride, alpha: alpha, beta: beta)
    }
  }
}
