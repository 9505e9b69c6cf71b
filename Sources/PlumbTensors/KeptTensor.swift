/// What a pullback keeps of a tensor that it will read: the values, or how to make them again.
///
/// Norms and activations cost a hundredth of the products around them, but their results are a
/// third of what a decoder layer would hold for its backward pass.
enum KeptTensor: Sendable {
  case values(Tensor)
  case recipe(@Sendable () -> Tensor)

  init(_ tensor: Tensor) {
    self = tensor.remake.map { .recipe($0) } ?? .values(tensor)
  }

  /// The values; hold the result for as long as they are read.
  var values: Tensor {
    switch self {
    case .values(let tensor): tensor
    case .recipe(let remake): remake()
    }
  }
}

extension Tensor {
  /// The same tensor, whose values operations do not keep for backward but make again.
  ///
  /// - Parameters:
  ///   - bytes: the size up to which keeping the values costs less than making them.
  ///   - recipe: gives exactly these values, cheaply, and holds little that the graph does not hold
  ///     anyway.
  func remade(above bytes: Int = 0, by recipe: @escaping @Sendable () -> Tensor) -> Tensor {
    guard node != nil, count * MemoryLayout<Float>.size > bytes else { return self }
    return Tensor(shape: shape, storage: storage, offset: offset, node: node, remake: recipe)
  }
}
