extension Tensor {
  /// The rows at `indices`, in that order and as often as they occur: [N, D] to [M, D].
  ///
  /// The gradient of a row is the sum over its occurrences.
  public func rows(at indices: [Int]) -> Tensor {
    precondition(shape.rank == 2, "rows(at:): expected a matrix, found shape \(shape)")
    return gathered(indices, width: shape[1], into: [indices.count, shape[1]], "rows(at:)")
  }

  /// The elements at `indices`, in that order and as often as they occur: [N] to [M].
  ///
  /// The gradient of an element is the sum over its occurrences.
  public func elements(at indices: [Int]) -> Tensor {
    precondition(shape.rank == 1, "elements(at:): expected a vector, found shape \(shape)")
    return gathered(indices, width: 1, into: [indices.count], "elements(at:)")
  }

  private func gathered(
    _ indices: [Int], width: Int, into gatheredShape: Shape, _ operation: String
  ) -> Tensor {
    Self.check(indices, below: shape[0], operation)
    let receiver = withoutValues
    return .make(gatheredShape, inputs: [self]) { result in
      for (row, index) in indices.enumerated() {
        for j in 0..<width { result[row * width + j] = base[index * width + j] }
      }
    } pullback: { gradient, cotangents in
      let g = gradient.base
      cotangents.accumulate(into: receiver) { total, isFresh in
        if isFresh { total.update(repeating: 0) }
        for (row, index) in indices.enumerated() {
          for j in 0..<width { total[index * width + j] += g[row * width + j] }
        }
      }
    }
  }

  /// The columns at `indices`, in that order and as often as they occur: [N, C] to [N, K].
  ///
  /// The gradient of a column is the sum over its occurrences.
  public func columns(at indices: [Int]) -> Tensor {
    precondition(shape.rank == 2, "columns(at:): expected a matrix, found shape \(shape)")
    let (rows, columns) = shape.matrix
    let width = indices.count
    Self.check(indices, below: columns, "columns(at:)")
    let receiver = withoutValues
    return .make([rows, width], inputs: [self]) { result in
      for row in 0..<rows {
        for (k, index) in indices.enumerated() {
          result[row * width + k] = base[row * columns + index]
        }
      }
    } pullback: { gradient, cotangents in
      let g = gradient.base
      cotangents.accumulate(into: receiver) { total, isFresh in
        if isFresh { total.update(repeating: 0) }
        for row in 0..<rows {
          for (k, index) in indices.enumerated() {
            total[row * columns + index] += g[row * width + k]
          }
        }
      }
    }
  }

  private static func check(_ indices: [Int], below bound: Int, _ operation: String) {
    for index in indices {
      precondition(
        index >= 0 && index < bound,
        "\(operation): expected indices in 0 ..< \(bound), found \(index)")
    }
  }
}
