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
  private let destination: Destination?

  init(destination: Destination?) {
    self.destination = destination
  }

  /// Lets `body` write the share of one operation into the gradient of `input`.
  ///
  /// If `isFresh`, the contents of the buffer are undefined and every scalar must be written;
  /// otherwise the share must be added. Not called if `input` needs no gradient.
  mutating func accumulate(
    into input: Tensor,
    _ body: (_ gradient: UnsafeMutableBufferPointer<Float>, _ isFresh: Bool) -> Void
  ) {
    guard let node = input.node else { return }
    if let destination, case .leaf(.parameter(let identity, let offset)) = node.kind {
      guard identity === destination.identity else { return }
      body(UnsafeMutableBufferPointer(start: destination.base + offset, count: input.count), false)
      return
    }
    let key = ObjectIdentifier(node)
    var entry: Pending
    let isFresh: Bool
    if let found = pending.removeValue(forKey: key) {
      entry = found
      isFresh = false
    } else {
      entry = Pending(storage: Storage(count: input.count), offset: 0)
      isFresh = true
    }
    if !isKnownUniquelyReferenced(&entry.storage) {
      entry = Pending(
        storage: entry.storage.copy(from: entry.offset, count: input.count), offset: 0)
    }
    body(
      UnsafeMutableBufferPointer(start: entry.storage.base + entry.offset, count: input.count),
      isFresh)
    pending[key] = entry
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
        for i in 0..<total.count { total[i] += share[i] }
      }
    }
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
    var cotangents = Cotangents(destination: destination)
    let start = Tensor.make(shape) { $0.update(repeating: seed) }
    cotangents.pass(start, to: Tensor(shape: shape, storage: start.storage, node: self))
    var leaves: [ObjectIdentifier: Tensor] = [:]
    for node in inputsFirst().reversed() {
      guard let gradient = cotangents.take(node) else { continue }
      switch node.kind {
      case .operation(let pullback): pullback(gradient, &cotangents)
      case .leaf: leaves[ObjectIdentifier(node)] = gradient
      }
    }
    return leaves
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
