/// The gradients of a scalar with respect to the leaves it was computed from.
public struct Gradients: Sendable {
  private let leaves: [ObjectIdentifier: Tensor]
  /// Node identities are addresses: they stay unique only while their owner lives.
  private let root: Node?

  /// Runs backward from `loss`, which must hold one scalar.
  public init(of loss: Tensor) {
    precondition(
      loss.count == 1, "Gradients: expected a loss of one scalar, found shape \(loss.shape)")
    root = loss.node
    leaves = loss.node?.backward(seed: 1, destination: nil) ?? [:]
  }

  /// The gradient of the loss with respect to a variable, nil if the loss does not depend on it.
  public subscript(_ variable: Tensor) -> Tensor? {
    guard let node = variable.node, let gradient = leaves[ObjectIdentifier(node)] else {
      return nil
    }
    return gradient.reshaped(variable.shape)
  }
}
