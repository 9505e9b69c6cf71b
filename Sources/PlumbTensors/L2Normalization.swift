extension Tensor {
  /// Every row divided by its Euclidean length: `y = x / max(|x|, epsilon)`, for [N, D] or one row [D].
  ///
  /// The gradient is `(g - y (y . g)) / |x|`, and `g / epsilon` for rows shorter than `epsilon`. The
  /// lengths are summed in Float64, so that long rows of large values do not overflow.
  public func l2Normalized(epsilon: Float = 1e-12) -> Tensor {
    precondition(
      shape.rank >= 1 && epsilon > 0,
      "l2Normalized: expected rank 1 or more and epsilon > 0, found \(shape) and \(epsilon)")
    let (rows, columns) = shape.matrix
    let lengths = (0..<rows).map { row in
      var squares = 0.0
      for j in 0..<columns {
        squares += Double(base[row * columns + j]) * Double(base[row * columns + j])
      }
      return Float(squares.squareRoot())
    }
    let result = Tensor.make(shape) { result in
      for row in 0..<rows {
        let divisor = max(lengths[row], epsilon)
        for i in (row * columns)..<((row + 1) * columns) { result[i] = base[i] / divisor }
      }
    }
    let receiver = withoutValues
    return result.recorded(inputs: [self]) { gradient, cotangents in
      let (g, y) = (gradient.base, result.base)
      let share = Tensor.make(receiver.shape) { share in
        for row in 0..<rows {
          let range = (row * columns)..<((row + 1) * columns)
          var projection: Float = 0
          if lengths[row] >= epsilon { for i in range { projection += y[i] * g[i] } }
          let divisor = max(lengths[row], epsilon)
          for i in range { share[i] = (g[i] - y[i] * projection) / divisor }
        }
      }
      cotangents.pass(share, to: receiver)
    }
  }
}
