import CKernels

/// The gradients on their way from a loss to the leaves.
///
/// A gradient is dropped as soon as the operation it belongs to has passed it on. Gradients of
/// parameters are added straight into a gradient block.
struct Cotangents {
  /// The span of memory that receives the gradients of one parameter block.
  struct Destination {
    let identity: BlockIdentity
    let base: UnsafeMutablePointer<Float>
  }

  private struct Pending {
    var storage: Storage
    var offset: Int
  }

  private var pending: [ObjectIdentifier: Pending] = [:]
  /// The gradients of leaves that did not go to the destination.
  private(set) var leaves: [ObjectIdentifier: Tensor] = [:]
  let destination: Destination?

  init(destination: Destination?) {
    self.destination = destination
  }

  /// Memory for the share of one operation in the gradient of one input.
  ///
  /// If `isFresh`, the contents of the buffer are undefined and every scalar must be written;
  /// otherwise the share must be added.
  struct Share {
    let buffer: UnsafeMutableBufferPointer<Float>
    let isFresh: Bool
    fileprivate let node: Node
    /// Keeps the memory alive; nil where the share goes straight into a gradient block.
    fileprivate var storage: Storage?

    func base(at offset: Int) -> UnsafeMutablePointer<Float> {
      guard let base = buffer.baseAddress else { preconditionFailure("Share: no memory") }
      return base + offset
    }
  }

  /// Lets `body` write the share of one operation into the gradient of `input`.
  ///
  /// See `Share` for `isFresh`. Not called if `input` needs no gradient.
  mutating func accumulate(
    into input: Tensor,
    _ body: (_ gradient: UnsafeMutableBufferPointer<Float>, _ isFresh: Bool) -> Void
  ) {
    var share = open(input)
    if let share { body(share.buffer, share.isFresh) }
    close(&share)
  }

  /// Takes out the gradient of `input` for writing, nil if it needs none; `close` puts it back.
  ///
  /// For operations that write to several gradients at once.
  mutating func open(_ input: Tensor) -> Share? {
    guard let node = input.node else { return nil }
    if let destination, case .leaf(.parameter(let identity, let offset)) = node.kind {
      guard identity === destination.identity else { return nil }
      let span = UnsafeMutableBufferPointer(start: destination.base + offset, count: input.count)
      return Share(buffer: span, isFresh: false, node: node, storage: nil)
    }
    guard var entry = pending.removeValue(forKey: ObjectIdentifier(node)) else {
      let storage = Storage(count: input.count)
      return Share(buffer: storage.buffer, isFresh: true, node: node, storage: storage)
    }
    if !isKnownUniquelyReferenced(&entry.storage) {
      entry = Pending(
        storage: entry.storage.copy(from: entry.offset, count: input.count), offset: 0)
    }
    let span = UnsafeMutableBufferPointer(
      start: entry.storage.base + entry.offset, count: input.count)
    return Share(buffer: span, isFresh: false, node: node, storage: entry.storage)
  }

  /// Puts a gradient back that `open` took out.
  mutating func close(_ share: inout Share?) {
    defer { share = nil }
    guard let node = share?.node, let storage = share?.storage, let buffer = share?.buffer,
      let base = buffer.baseAddress
    else { return }
    let key = ObjectIdentifier(node)
    if let other = pending[key] {
      // The operation read the same tensor twice, and each reading had its own memory.
      plumb_add(buffer.count, other.storage.base + other.offset, base)
    }
    pending[key] = Pending(storage: storage, offset: base - storage.base)
  }

  /// Adds `gradient` to the gradient of `input`, sharing its memory where possible.
  mutating func pass(_ gradient: Tensor, to input: Tensor) {
    precondition(
      gradient.count == input.count,
      "pullback: expected a gradient of shape \(input.shape), found \(gradient.shape)")
    guard let node = input.node else { return }
    let key = ObjectIdentifier(node)
    var isParameter = false
    if destination != nil, case .leaf(.parameter) = node.kind { isParameter = true }
    if !isParameter, pending[key] == nil {
      pending[key] = Pending(storage: gradient.storage, offset: gradient.offset)
      return
    }
    accumulate(into: input) { total, isFresh in
      let share = gradient.buffer
      if isFresh {
        _ = total.update(fromContentsOf: share)
      } else {
        plumb_add(total.count, share.baseAddress, total.baseAddress)
      }
    }
  }

  /// Keeps a share of a leaf's gradient; a leaf may be reached within a checkpoint and outside.
  mutating func keep(_ gradient: Tensor, ofLeaf leaf: ObjectIdentifier) {
    leaves[leaf] = leaves[leaf].map { $0 + gradient.reshaped($0.shape) } ?? gradient
  }

  /// Takes the finished gradient of a node out of the store.
  fileprivate mutating func take(_ node: Node) -> Tensor? {
    pending.removeValue(forKey: ObjectIdentifier(node)).map {
      Tensor(shape: node.shape, storage: $0.storage, offset: $0.offset)
    }
  }
}

extension Node {
  /// Carries the gradient `seed` of a scalar back through its graph.
  ///
  /// - Returns: the gradients of the leaves that did not go to `destination`, by node.
  func backward(
    seed: Float, destination: Cotangents.Destination?
  ) -> [ObjectIdentifier: Tensor] {
    backward(Tensor.make(shape) { $0.update(repeating: seed) }, destination: destination)
  }

  /// Carries the gradient of a result back through its graph.
  ///
  /// - Returns: the gradients of the leaves that did not go to `destination`, by node.
  func backward(
    _ gradient: Tensor, destination: Cotangents.Destination?
  ) -> [ObjectIdentifier: Tensor] {
    var cotangents = Cotangents(destination: destination)
    cotangents.pass(gradient, to: Tensor(shape: shape, storage: gradient.storage, node: self))
    for node in inputsFirst().reversed() {
      guard let gradient = cotangents.take(node) else { continue }
      switch node.kind {
      case .operation(let pullback): pullback(gradient, &cotangents)
      case .leaf: cotangents.keep(gradient, ofLeaf: ObjectIdentifier(node))
      }
    }
    return cotangents.leaves
  }

  /// All nodes the result depends on, every node after its inputs; without recursion.
  func inputsFirst() -> [Node] {
    var order: [Node] = []
    var seen: Set<ObjectIdentifier> = [ObjectIdentifier(self)]
    var path: [(node: Node, next: Int)] = [(self, 0)]
    while let (node, next) = path.last {
      if next == node.inputs.count {
        order.append(node)
        path.removeLast()
        continue
      }
      path[path.count - 1].next = next + 1
      let input = node.inputs[next]
      if seen.insert(ObjectIdentifier(input)).inserted { path.append((input, 0)) }
    }
    return order
  }
}
