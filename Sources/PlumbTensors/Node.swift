import CKernels

/// One recorded operation or leaf of the graph behind a tensor.
final class Node: Sendable {
  /// Takes the gradient of the operation's result and gives every input its share.
  typealias Pullback = @Sendable (_ gradient: Tensor, _ cotangents: inout Cotangents) -> Void

  enum Kind: Sendable {
    case operation(Pullback)
    case leaf(Leaf)
  }

  /// Where the gradient of a leaf goes.
  enum Leaf: Sendable {
    /// Kept by `Gradients` under the identity of the node.
    case variable
    /// A view into a parameter block: the same span of the gradient block.
    case parameter(of: BlockIdentity, offset: Int)
  }

  // Emptied by `deinit`, otherwise never written: safe to read from any thread.
  nonisolated(unsafe) private(set) var kind: Kind
  /// Of the result of the operation; tensors that only differ in shape share their node.
  let shape: Shape
  /// Only those inputs that require a gradient.
  nonisolated(unsafe) private(set) var inputs: [Node]

  init(leaf: Leaf, shape: Shape) {
    kind = .leaf(leaf)
    self.shape = shape
    inputs = []
  }

  private init(_ pullback: @escaping Pullback, shape: Shape, inputs: [Node]) {
    kind = .operation(pullback)
    self.shape = shape
    self.inputs = inputs
  }

  /// The node of an operation, or nil if none of its inputs requires a gradient.
  static func recorded(
    _ shape: Shape, inputs: [Tensor], _ pullback: @escaping Pullback
  ) -> Node? {
    let nodes = inputs.compactMap(\.node)
    return nodes.isEmpty ? nil : Node(pullback, shape: shape, inputs: nodes)
  }

  /// The node of an operation whose pullback finds leaves by itself, whatever its inputs.
  static func recorded(
    _ shape: Shape, unconditionally input: Tensor, _ pullback: @escaping Pullback
  ) -> Node {
    Node(pullback, shape: shape, inputs: input.node.map { [$0] } ?? [])
  }

  /// A chain of operations is released in a loop: releasing each node from within the release of
  /// the next would overflow the stack after some ten thousand operations.
  deinit {
    guard !inputs.isEmpty else { return }
    if let running = plumb_thread_slot() {
      Unmanaged<ReleaseQueue>.fromOpaque(running).takeUnretainedValue().takeContents(of: self)
      return
    }
    let queue = ReleaseQueue()
    queue.takeContents(of: self)
    plumb_set_thread_slot(Unmanaged.passUnretained(queue).toOpaque())
    while !queue.entries.isEmpty { queue.releaseLast() }
    plumb_set_thread_slot(nil)
  }

  /// Leaves the node without references, so that only the receiver decides when they go.
  fileprivate func moveContents(to entries: inout [ReleaseQueue.Entry]) {
    entries.append((inputs, kind))
    inputs = []
    kind = .leaf(.variable)
  }
}

/// What the nodes being released on one thread still hold.
private final class ReleaseQueue {
  typealias Entry = (inputs: [Node], kind: Node.Kind)

  private(set) var entries: [Entry] = []

  func takeContents(of node: Node) { node.moveContents(to: &entries) }

  /// Drops one entry, outside of any access to `entries`: nodes that die with it append to it.
  func releaseLast() {
    let entry = entries.removeLast()
    withExtendedLifetime(entry) {}
  }
}

/// Tells the parameters of one block from those of another; copies of a block share it.
final class BlockIdentity: Sendable {}
