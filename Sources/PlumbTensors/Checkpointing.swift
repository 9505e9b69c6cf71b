/// Runs `body` and keeps nothing of it but its input; backward runs it again.
///
/// Memory for time (Chen et al. 2016, "Training deep nets with sublinear memory cost"): of a chain of
/// layers under checkpoints only the states between layers stay, at the cost of one more forward
/// pass. The gradients have the same bits as without.
/// - Parameters:
///   - x: what `body` reads; it may also read parameters and variables that it captures.
///   - body: a pure function, for it runs twice.
/// - Returns: `body(x)`.
public func checkpointed(
  _ x: Tensor, _ body: @escaping @Sendable (Tensor) -> Tensor
) -> Tensor {
  let result = body(x.isolated)
  guard result.requiresGradient else { return result }
  let node = Node.recorded(result.shape, unconditionally: x) { gradient, cotangents in
    let input = x.isolated
    guard let inner = body(input).node else { return }
    for (leaf, share) in inner.backward(gradient, destination: cotangents.destination) {
      if let own = input.node, leaf == ObjectIdentifier(own) {
        cotangents.pass(share, to: x)
      } else {
        cotangents.keep(share, ofLeaf: leaf)
      }
    }
  }
  return Tensor(shape: result.shape, storage: result.storage, offset: result.offset, node: node)
}

extension Tensor {
  /// The same values as a leaf, if a gradient is wanted at all.
  fileprivate var isolated: Tensor {
    Tensor(
      shape: shape, storage: storage, offset: offset,
      node: node.map { _ in Node(leaf: .variable, shape: shape) })
  }
}
