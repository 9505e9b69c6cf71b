public import PlumbTensors
public import Testing

/// Compares the gradients of `function` with central finite differences.
///
/// `function` must build its result from the tensors it is given. A result of more than one element is
/// contracted with fixed weights of either sign and of size 0.5 to 1.5, so that every element counts; the
/// analytic side sees the same weights. For each element x of each input,
/// `(f(x + h) - f(x - h)) / 2h` must agree with the gradient within `tolerance * (1 + |gradient|)`.
///
/// Keep the inputs at least two steps away from kinks (`relu`, `clamped`, `minimum`), and the values of order
/// one: the Float32 rounding of `function` costs about 1e-7 / `step`.
/// - Parameters:
///   - inputs: values of any shape; they are made variables here.
///   - step: h; a power of two keeps x ± h exact.
///   - tolerance: absolute for small gradients, relative for large ones.
public func checkGradients(
  of inputs: [Tensor], step: Float = 0x1p-7, tolerance: Float = 2e-3,
  sourceLocation: SourceLocation = #_sourceLocation, _ function: ([Tensor]) -> Tensor
) {
  let variables = inputs.map { Tensor.variable($0.scalars, shape: $0.shape) }
  let output = function(variables)
  let weights = (0..<output.count).map { weight(of: $0) }
  let gradients = Gradients(of: (output * Tensor(weights, shape: output.shape)).sum())

  for (number, input) in inputs.enumerated() {
    guard let gradient = gradients[variables[number]] else {
      record("input \(number)", "no gradient reached it", sourceLocation)
      continue
    }
    guard gradient.shape == input.shape else {
      record(
        "input \(number)", "expected a gradient of shape \(input.shape), found \(gradient.shape)",
        sourceLocation)
      continue
    }
    let numeric = input.scalars.indices.map { element in
      func value(at offset: Float) -> (x: Float, contracted: Double) {
        var values = input.scalars
        values[element] += offset
        var moved = inputs
        moved[number] = Tensor(values, shape: input.shape)
        let contracted = zip(function(moved).scalars, weights)
          .reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
        return (values[element], contracted)
      }
      let above = value(at: step)
      let below = value(at: -step)
      return Float((above.contracted - below.contracted) / Double(above.x - below.x))
    }
    expectClose(
      gradient.scalars, numeric, absolute: tolerance, relative: tolerance,
      "gradient of input \(number)", sourceLocation: sourceLocation)
  }
}

/// A fixed number in ±[0.5, 1.5) that differs from element to element.
private func weight(of element: Int) -> Float {
  let spread = Float((element &* 37 &+ 11) % 64) / 64
  return (element.isMultiple(of: 3) ? -1 : 1) * (0.5 + spread)
}
