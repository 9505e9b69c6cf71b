import CKernels

/// The rows of a table.
///
/// - Parameters:
///   - ids: [N], each in `0..<V`.
///   - weight: [V, D].
/// - Returns: [N, D].
public func embedding(_ ids: [Int32], weight: Tensor) -> Tensor {
  precondition(
    weight.shape.rank == 2, "embedding: expected weight [V, D], found \(weight.shape)")
  let (vocabulary, width) = (weight.shape[0], weight.shape[1])
  for id in ids {
    precondition(
      id >= 0 && Int(id) < vocabulary, "embedding: expected an id in 0..<\(vocabulary), found \(id)"
    )
  }
  return Tensor.make([ids.count, width], inputs: [weight]) { result in
    result.withBase { y in
      for (row, id) in ids.enumerated() {
        (y + row * width).update(from: weight.base + Int(id) * width, count: width)
      }
    }
  } pullback: { gradient, cotangents in
    cotangents.accumulate(into: weight) { dw, isFresh in
      if isFresh { dw.update(repeating: 0) }
      dw.withBase { dw in
        // Equal ids meet in the same row: divided along the columns, threads never do.
        Threads.split(width, grain: max(16, 65_536 / max(1, ids.count))) { range in
          for (row, id) in ids.enumerated() {
            plumb_add(
              range.count, gradient.base + row * width + range.lowerBound,
              dw + Int(id) * width + range.lowerBound)
          }
        }
      }
    }
  }
}
