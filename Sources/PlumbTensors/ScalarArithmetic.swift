extension Tensor {
  /// `x + s`, element by element.
  public static func + (x: Tensor, s: Float) -> Tensor { x.scaled(by: 1, plus: s) }

  /// `s + x`, element by element.
  public static func + (s: Float, x: Tensor) -> Tensor { x.scaled(by: 1, plus: s) }

  /// `x - s`, element by element.
  public static func - (x: Tensor, s: Float) -> Tensor { x.scaled(by: 1, plus: -s) }

  /// `s - x`, element by element.
  public static func - (s: Float, x: Tensor) -> Tensor { x.scaled(by: -1, plus: s) }

  /// `s x`, element by element.
  public static func * (x: Tensor, s: Float) -> Tensor { x.scaled(by: s) }

  /// `s x`, element by element.
  public static func * (s: Float, x: Tensor) -> Tensor { x.scaled(by: s) }

  /// `x / s`, element by element; the gradient is `g / s`.
  ///
  /// Division by 0 follows IEEE 754.
  public static func / (x: Tensor, s: Float) -> Tensor {
    x.mapped { value in value / s }.recorded(inputs: [x]) { gradient, cotangents in
      cotangents.pass(gradient, with: x, to: x) { g, _ in g / s }
    }
  }

  /// `s / x`, element by element; the gradient is `-g s / x^2`.
  ///
  /// Division by 0 follows IEEE 754.
  public static func / (s: Float, x: Tensor) -> Tensor {
    x.mapped { value in s / value }.recorded(inputs: [x]) { gradient, cotangents in
      cotangents.pass(gradient, with: x, to: x) { g, value in -g * (s / value) / value }
    }
  }

  /// `-x`, element by element.
  public static prefix func - (x: Tensor) -> Tensor { x.scaled(by: -1) }

  /// `factor * x`; the gradient is `factor * g`.
  private func scaled(by factor: Float) -> Tensor {
    let receiver = withoutValues
    return .make(shape, inputs: [self]) { result in
      for i in 0..<result.count { result[i] = factor * base[i] }
    } pullback: { gradient, cotangents in
      cotangents.pass(gradient.scaled(by: factor), to: receiver)
    }
  }

  /// `factor * x + addend`; the gradient is `factor * g`, for a factor of 1 without a copy.
  private func scaled(by factor: Float, plus addend: Float) -> Tensor {
    let receiver = withoutValues
    return .make(shape, inputs: [self]) { result in
      for i in 0..<result.count { result[i] = factor * base[i] + addend }
    } pullback: { gradient, cotangents in
      cotangents.pass(factor == 1 ? gradient : gradient.scaled(by: factor), to: receiver)
    }
  }
}
