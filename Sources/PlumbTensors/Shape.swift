/// The extents of a tensor, outermost axis first; rank 0 to 4.
///
/// Stored in place: making a shape allocates nothing.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
  /// The number of axes; 0 for a scalar.
  public let rank: Int
  private var extent0 = 1
  private var extent1 = 1
  private var extent2 = 1
  private var extent3 = 1

  /// A shape from its extents, at most four of them, none negative.
  public init(_ extents: [Int]) {
    precondition(extents.count <= 4, "Shape: expected rank at most 4, found \(extents.count)")
    precondition(
      extents.allSatisfy { $0 >= 0 }, "Shape: expected no negative extent, found \(extents)")
    rank = extents.count
    if rank > 0 { extent0 = extents[0] }
    if rank > 1 { extent1 = extents[1] }
    if rank > 2 { extent2 = extents[2] }
    if rank > 3 { extent3 = extents[3] }
  }

  /// A shape written as a literal: `[rows, columns]`.
  public init(arrayLiteral elements: Int...) {
    self.init(elements)
  }

  /// The extents, outermost first.
  public var extents: [Int] { (0..<rank).map { self[$0] } }

  /// The number of scalars: the product of the extents, 1 for rank 0.
  public var count: Int { extent0 * extent1 * extent2 * extent3 }

  /// The extent of an axis, counted from the outermost.
  public subscript(_ axis: Int) -> Int {
    precondition(axis >= 0 && axis < rank, "Shape: no axis \(axis) in \(self)")
    switch axis {
    case 0: return extent0
    case 1: return extent1
    case 2: return extent2
    default: return extent3
    }
  }

  /// The extents in brackets, for example `[3, 4]`.
  public var description: String { "\(extents)" }
}

extension Shape {
  /// The shape as a matrix: the innermost extent, and all the others multiplied.
  ///
  /// A scalar is 1 x 1 and a vector 1 x count.
  var matrix: (rows: Int, columns: Int) {
    guard rank > 0 else { return (1, 1) }
    let columns = self[rank - 1]
    var rows = 1
    for axis in 0..<(rank - 1) { rows *= self[axis] }
    return (rows, columns)
  }
}
