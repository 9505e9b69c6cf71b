import Glibc

extension Tensor {
  /// `e^x`; the gradient is `g e^x`.
  public func exp() -> Tensor {
    map { x in
      expf(x)
    } outputGradient: { g, y in
      g * y
    }
  }

  /// The natural logarithm, -infinity at 0 and NaN below; the gradient is `g / x`.
  public func log() -> Tensor {
    map { x in
      logf(x)
    } inputGradient: { g, x in
      g / x
    }
  }

  /// `1 / (1 + e^-x)`; the gradient is `g y (1 - y)`.
  ///
  /// Neither overflows, and `1 - y` is not computed by subtraction, so it stays exact for large x.
  public func sigmoid() -> Tensor {
    map { x in
      logistic(x)
    } inputGradient: { g, x in
      g * logistic(x) * logistic(-x)
    }
  }

  /// `log(sigmoid(x)) = min(x, 0) - log(1 + e^-|x|)`; the gradient is `g sigmoid(-x)`.
  ///
  /// Finite wherever x is, and accurate to a few units in the last place.
  public func logSigmoid() -> Tensor {
    map { x in
      (x < 0 ? x : 0) - log1pf(expf(-Swift.abs(x)))
    } inputGradient: { g, x in
      g * logistic(-x)
    }
  }

  /// The hyperbolic tangent; the gradient is `g (1 - y^2)`.
  public func tanh() -> Tensor {
    map { x in
      tanhf(x)
    } outputGradient: { g, y in
      g * (1 - y * y)
    }
  }

  /// `max(x, 0)`, with gradient 0 at x = 0; NaN stays NaN.
  public func relu() -> Tensor {
    map { x in
      x < 0 ? 0 : x
    } inputGradient: { g, x in
      x > 0 ? g : 0
    }
  }

  /// `x^2`; the gradient is `2 g x`.
  public func square() -> Tensor {
    map { x in
      x * x
    } inputGradient: { g, x in
      2 * g * x
    }
  }

  /// The square root, NaN below 0; the gradient is `g / (2 y)`, which is infinite at 0.
  public func sqrt() -> Tensor {
    map { x in
      x.squareRoot()
    } outputGradient: { g, y in
      g / (2 * y)
    }
  }

  /// `|x|`, with gradient 0 at x = 0.
  public func abs() -> Tensor {
    map { x in
      Swift.abs(x)
    } inputGradient: { g, x in
      x > 0 ? g : (x < 0 ? -g : 0)
    }
  }

  /// `min(max(x, low), high)`; the gradient passes where low <= x <= high.
  ///
  /// NaN stays NaN. An infinite bound clamps one side only.
  public func clamped(_ low: Float, _ high: Float) -> Tensor {
    precondition(low <= high, "clamped: expected low <= high, found \(low) and \(high)")
    return map { x in
      x < low ? low : (x > high ? high : x)
    } inputGradient: { g, x in
      x < low || x > high ? 0 : g
    }
  }
}

/// `1 / (1 + e^-x)`, from an exponential that cannot overflow.
private func logistic(_ x: Float) -> Float {
  let decay = expf(-Swift.abs(x))
  return (x < 0 ? decay : 1) / (1 + decay)
}

extension Tensor {
  /// An element-wise operation whose gradient is a function of (g, x); it keeps its input.
  @inline(__always)
  func map(
    _ value: (Float) -> Float, inputGradient: @escaping @Sendable (Float, Float) -> Float
  ) -> Tensor {
    .make(shape, inputs: [self]) { result in
      for i in 0..<result.count { result[i] = value(base[i]) }
    } pullback: { gradient, cotangents in
      cotangents.passMapped(gradient, self, to: self, inputGradient)
    }
  }

  /// An element-wise operation whose gradient is a function of (g, y); it keeps its result.
  @inline(__always)
  func map(
    _ value: (Float) -> Float, outputGradient: @escaping @Sendable (Float, Float) -> Float
  ) -> Tensor {
    let result = Tensor.make(shape) { result in
      for i in 0..<result.count { result[i] = value(base[i]) }
    }
    let receiver = withoutValues
    return result.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.passMapped(gradient, result, to: receiver, outputGradient)
    }
  }

  /// These values as the result of an operation whose pullback needs them.
  func recorded(inputs: [Tensor], pullback: @escaping Node.Pullback) -> Tensor {
    Tensor(
      shape: shape, storage: storage, offset: offset,
      node: Node.recorded(shape, inputs: inputs, pullback))
  }
}

extension Cotangents {
  /// Hands on `share(g, v)` for the scalars v of `values`.
  @inline(__always)
  fileprivate mutating func passMapped(
    _ gradient: Tensor, _ values: Tensor, to receiver: Tensor, _ share: (Float, Float) -> Float
  ) {
    let (g, v) = (gradient.base, values.base)
    accumulate(into: receiver) { total, isFresh in
      for i in 0..<total.count { total[i] = (isFresh ? 0 : total[i]) + share(g[i], v[i]) }
    }
  }
}
