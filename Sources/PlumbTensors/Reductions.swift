extension Tensor {
  /// The sum of all scalars, of rank 0; the gradient is g everywhere.
  ///
  /// Summed in a fixed order with a relative error near 1e-6 even over millions of terms.
  public func sum() -> Tensor { scaledSum(1) }

  /// The mean of all scalars, of rank 0; there must be at least one.
  public func mean() -> Tensor {
    precondition(count > 0, "mean: expected at least one scalar, found shape \(shape)")
    return scaledSum(1 / Double(count))
  }

  private func scaledSum(_ scale: Double) -> Tensor {
    let receiver = withoutValues
    return .make([], inputs: [self]) { result in
      result[0] = Float(scale * blockedSum(count) { base[$0] })
    } pullback: { gradient, cotangents in
      cotangents.pass(.full(Float(scale) * gradient.item, receiver.shape), to: receiver)
    }
  }

  /// The sums along the last axis: [M, N] to [M], for any rank of at least 1.
  public func sumLastAxis() -> Tensor {
    precondition(shape.rank >= 1, "sumLastAxis: expected rank 1 or more, found a scalar")
    let (rows, columns) = shape.matrix
    let receiver = withoutValues
    return .make(Shape(shape.extents.dropLast()), inputs: [self]) { result in
      for row in 0..<rows {
        result[row] = Float(blockedSum(columns) { base[row * columns + $0] })
      }
    } pullback: { gradient, cotangents in
      let share = Tensor.make(receiver.shape) { result in
        for row in 0..<rows {
          for j in 0..<columns { result[row * columns + j] = gradient.base[row] }
        }
      }
      cotangents.pass(share, to: receiver)
    }
  }

  /// The sums over consecutive segments: [N] to [S], where `lengths` are S counts that add up to N.
  ///
  /// An empty segment sums to 0.
  public func segmentSum(lengths: [Int]) -> Tensor {
    precondition(shape.rank == 1, "segmentSum: expected a vector, found shape \(shape)")
    precondition(
      lengths.allSatisfy { $0 >= 0 } && lengths.reduce(0, +) == count,
      "segmentSum: expected lengths of 0 or more that add up to \(count), found \(lengths)")
    let receiver = withoutValues
    return .make([lengths.count], inputs: [self]) { result in
      var start = 0
      for (segment, length) in lengths.enumerated() {
        result[segment] = Float(blockedSum(length) { base[start + $0] })
        start += length
      }
    } pullback: { gradient, cotangents in
      let share = Tensor.make(receiver.shape) { result in
        var start = 0
        for (segment, length) in lengths.enumerated() {
          for i in start..<(start + length) { result[i] = gradient.base[segment] }
          start += length
        }
      }
      cotangents.pass(share, to: receiver)
    }
  }
}
