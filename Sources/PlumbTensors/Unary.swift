import Glibc

extension Tensor {
  /// `e^x`; the gradient is `g e^x`.
  public func exp() -> Tensor {
    let y = mapped { x in expf(x) }
    let receiver = withoutValues
    return y.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: y, to: receiver) { g, y in g * y }
    }
  }

  /// The natural logarithm, -infinity at 0 and NaN below; the gradient is `g / x`.
  public func log() -> Tensor {
    mapped { x in logf(x) }.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in g / x }
    }
  }

  /// `1 / (1 + e^-x)`; the gradient is `g y (1 - y)`.
  ///
  /// Neither overflows, and `1 - y` is not computed by subtraction, so it stays exact for large x.
  public func sigmoid() -> Tensor {
    mapped { x in logistic(x) }.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in g * logistic(x) * logistic(-x) }
    }
  }

  /// `log(sigmoid(x)) = min(x, 0) - log(1 + e^-|x|)`; the gradient is `g sigmoid(-x)`.
  ///
  /// Finite wherever x is, and accurate to a few units in the last place.
  public func logSigmoid() -> Tensor {
    mapped { x in (x < 0 ? x : 0) - log1pf(expf(-Swift.abs(x))) }.recorded(inputs: [self]) {
      gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in g * logistic(-x) }
    }
  }

  /// The hyperbolic tangent; the gradient is `g (1 - y^2)`.
  public func tanh() -> Tensor {
    let y = mapped { x in tanhf(x) }
    let receiver = withoutValues
    return y.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: y, to: receiver) { g, y in g * (1 - y * y) }
    }
  }

  /// `max(x, 0)`, with gradient 0 at x = 0; NaN stays NaN.
  public func relu() -> Tensor {
    mapped { x in x < 0 ? 0 : x }.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in x > 0 ? g : 0 }
    }
  }

  /// `x^2`; the gradient is `2 g x`.
  public func square() -> Tensor {
    mapped { x in x * x }.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in 2 * g * x }
    }
  }

  /// The square root, NaN below 0; the gradient is `g / (2 y)`, which is infinite at 0.
  public func sqrt() -> Tensor {
    let y = mapped { x in x.squareRoot() }
    let receiver = withoutValues
    return y.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: y, to: receiver) { g, y in g / (2 * y) }
    }
  }

  /// `|x|`, with gradient 0 at x = 0.
  public func abs() -> Tensor {
    mapped { x in Swift.abs(x) }.recorded(inputs: [self]) { gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in x > 0 ? g : (x < 0 ? -g : 0) }
    }
  }

  /// `min(max(x, low), high)`; the gradient passes where low <= x <= high.
  ///
  /// NaN stays NaN. An infinite bound clamps one side only.
  public func clamped(_ low: Float, _ high: Float) -> Tensor {
    precondition(low <= high, "clamped: expected low <= high, found \(low) and \(high)")
    return mapped { x in x < low ? low : (x > high ? high : x) }.recorded(inputs: [self]) {
      gradient, cotangents in
      cotangents.pass(gradient, with: self, to: self) { g, x in x < low || x > high ? 0 : g }
    }
  }
}

/// `1 / (1 + e^-x)`, from an exponential that cannot overflow.
private func logistic(_ x: Float) -> Float {
  let decay = expf(-Swift.abs(x))
  return (x < 0 ? decay : 1) / (1 + decay)
}

extension Tensor {
  /// The constant `value(x)`, element by element.
  @inline(__always)
  func mapped(_ value: (Float) -> Float) -> Tensor {
    .make(shape) { result in
      for i in 0..<result.count { result[i] = value(base[i]) }
    }
  }

  /// These values as the result of an operation, for a pullback that needs them.
  func recorded(inputs: [Tensor], pullback: @escaping Node.Pullback) -> Tensor {
    Tensor(
      shape: shape, storage: storage, offset: offset,
      node: Node.recorded(shape, inputs: inputs, pullback))
  }
}

extension Cotangents {
  /// Hands on `share(g, v)` for the scalars v of `values`, the input or the result of the operation.
  ///
  /// Inlined, as a call per scalar would cost four times the arithmetic.
  @inline(__always)
  mutating func pass(
    _ gradient: Tensor, with values: Tensor, to receiver: Tensor, _ share: (Float, Float) -> Float
  ) {
    let (g, v) = (gradient.base, values.base)
    let shares = Tensor.make(receiver.shape) { result in
      for i in 0..<result.count { result[i] = share(g[i], v[i]) }
    }
    pass(shares, to: receiver)
  }
}
