import PlumbTensors

/// A linear value head with a parameter block of its own; it starts at zero.
struct ValueHead {
  var parameters: ParameterBlock
  private let weight: ParameterID
  private let bias: ParameterID

  /// A head on hidden states of this width.
  init(width: Int) {
    var layout = ParameterLayout()
    (weight, bias) = Self.declare(width: width, in: &layout)
    parameters = ParameterBlock(layout: layout)
  }

  /// Adds a head to a layout: `v_head.weight` [1, width] and `v_head.bias` [1], both zero.
  static func declare(
    width: Int, in layout: inout ParameterLayout
  ) -> (weight: ParameterID, bias: ParameterID) {
    (layout.add("v_head.weight", [1, width], .zeros), layout.add("v_head.bias", [1], .zeros))
  }

  /// The values of some rows of hidden states, [M].
  ///
  /// - Parameters:
  ///   - hidden: [N, D].
  ///   - rows: [M], each in `0..<N`.
  func values(hidden: Tensor, rows: [Int]) -> Tensor {
    linear(hidden.rows(at: rows), weight: parameters[weight], bias: parameters[bias])
      .reshaped([rows.count])
  }

  var weights: [Float] { parameters.values(of: weight) }
  var biases: [Float] { parameters.values(of: bias) }

  mutating func assign(weight weights: [Float], bias biases: [Float]) {
    parameters.assign(weights, to: weight)
    parameters.assign(biases, to: bias)
  }
}
