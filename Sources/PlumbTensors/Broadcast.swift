/// How the operands of an element-wise operation line up with its result.
///
/// One of the two has the shape of the result. The other has the same shape, or is repeated: `row`
/// is [N] (or [1, N]) against [M, N], `column` is [M, 1] against [M, N], and `scalar` holds one number.
struct Broadcast: Sendable {
  enum Extent: Sendable {
    case full, row, column, scalar
  }

  let shape: Shape
  let left: Extent
  let right: Extent

  /// Traps unless one of the shapes is repeated to the other.
  init(_ a: Shape, _ b: Shape, operation: String) {
    let leftLeads = a.count != 1 || b.count != 1 || a.rank >= b.rank
    if leftLeads, let extent = Self.extent(of: b, in: a) {
      (shape, left, right) = (a, .full, extent)
    } else if let extent = Self.extent(of: a, in: b) {
      (shape, left, right) = (b, extent, .full)
    } else {
      preconditionFailure(
        "\(operation): expected equal shapes or one that is [N], [M, 1] or one number against [M, N], "
          + "found \(a) and \(b)")
    }
  }

  private static func extent(of small: Shape, in big: Shape) -> Extent? {
    if small == big { return .full }
    if small.count == 1 { return .scalar }
    guard big.rank > 0, small.rank > 0 else { return nil }
    let last = small[small.rank - 1]
    if small.count == last, last == big[big.rank - 1], small.rank <= big.rank { return .row }
    let leadingAgree =
      small.rank == big.rank && (0..<(big.rank - 1)).allSatisfy { small[$0] == big[$0] }
    return leadingAgree && last == 1 ? .column : nil
  }

  /// Calls `body` with each flat index of the result and the two operands there, in order.
  ///
  /// The inner loops have unit stride or a constant operand, so that the compiler can vectorise them.
  @inline(__always)
  func forEach(
    _ a: UnsafePointer<Float>, _ b: UnsafePointer<Float>, _ body: (Int, Float, Float) -> Void
  ) {
    switch (left, right) {
    case (.full, .full):
      for i in 0..<shape.count { body(i, a[i], b[i]) }
    case (.full, .scalar):
      let y = b[0]
      for i in 0..<shape.count { body(i, a[i], y) }
    case (.scalar, _):
      let x = a[0]
      for i in 0..<shape.count { body(i, x, b[i]) }
    default:
      let (rows, columns) = shape.matrix
      for row in 0..<rows {
        let start = row * columns
        switch (left, right) {
        case (.row, _): for j in 0..<columns { body(start + j, a[j], b[start + j]) }
        case (_, .row): for j in 0..<columns { body(start + j, a[start + j], b[j]) }
        case (.column, _): for j in 0..<columns { body(start + j, a[row], b[start + j]) }
        default: for j in 0..<columns { body(start + j, a[start + j], b[row]) }
        }
      }
    }
  }

  /// Adds up a gradient of the result's shape over all places where an operand was repeated.
  ///
  /// `total` holds the operand's scalars; it is overwritten if `isFresh`, else added to.
  func reduce(
    _ share: UnsafePointer<Float>, to extent: Extent,
    into total: UnsafeMutableBufferPointer<Float>, isFresh: Bool
  ) {
    let (rows, columns) = shape.matrix
    if isFresh { total.update(repeating: 0) }
    switch extent {
    case .full:
      for i in 0..<total.count { total[i] += share[i] }
    case .row:
      for row in 0..<rows {
        for j in 0..<columns { total[j] += share[row * columns + j] }
      }
    case .column:
      for row in 0..<rows {
        total[row] += Float(blockedSum(columns) { share[row * columns + $0] })
      }
    case .scalar:
      total[0] += Float(blockedSum(shape.count) { share[$0] })
    }
  }
}

/// The sum of `value(0) … value(count - 1)`, in a fixed order that vectorises and rounds little.
///
/// Eight Float lanes over blocks of 512, and the blocks in Float64: the relative error stays near 1e-6
/// for millions of terms, where one running Float would lose three more digits.
@inline(__always)
func blockedSum(_ count: Int, _ value: (Int) -> Float) -> Double {
  var total = 0.0
  var start = 0
  while start < count {
    let end = min(start + 512, count)
    let laneEnd = end - (end - start) % 8
    var lanes = SIMD8<Float>.zero
    while start < laneEnd {
      for lane in 0..<8 { lanes[lane] += value(start + lane) }
      start += 8
    }
    total += Double(lanes.sum())
    while start < end {
      total += Double(value(start))
      start += 1
    }
  }
  return total
}
