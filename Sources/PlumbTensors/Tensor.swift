/// An immutable array of Float32 with a shape, row-major and contiguous.
///
/// Operations on tensors that depend on a variable or an unfrozen parameter record how to carry
/// gradients back; the recorded graph lives as long as a tensor made by it.
public struct Tensor: Sendable {
  /// The extents, outermost first.
  public let shape: Shape
  let storage: Storage
  let offset: Int
  let node: Node?
  /// Makes the same values again from what the graph keeps anyway; see `remade`.
  let remake: (@Sendable () -> Tensor)?

  init(
    shape: Shape, storage: Storage, offset: Int = 0, node: Node? = nil,
    remake: (@Sendable () -> Tensor)? = nil
  ) {
    self.shape = shape
    self.storage = storage
    self.offset = offset
    self.node = node
    self.remake = remake
  }

  /// The number of scalars.
  public var count: Int { shape.count }

  /// A constant.
  public init(_ values: [Float], shape: Shape) {
    precondition(
      values.count == shape.count, "Tensor: expected \(shape.count) values, found \(values.count)")
    self = Tensor.make(shape) { result in
      _ = result.update(fromContentsOf: values)
    }
  }

  /// A constant vector.
  public init(_ values: [Float]) {
    self.init(values, shape: [values.count])
  }

  /// A constant of rank 0.
  public init(scalar: Float) {
    self.init([scalar], shape: [])
  }

  /// A leaf whose gradient `Gradients` keeps.
  public static func variable(_ values: [Float], shape: Shape) -> Tensor {
    let constant = Tensor(values, shape: shape)
    return Tensor(
      shape: shape, storage: constant.storage, node: Node(leaf: .variable, shape: shape))
  }

  /// A constant whose scalars are all 0.
  public static func zeros(_ shape: Shape) -> Tensor { full(0, shape) }

  /// A constant whose scalars are all `value`.
  public static func full(_ value: Float, _ shape: Shape) -> Tensor {
    make(shape) { $0.update(repeating: value) }
  }

  /// The scalars in row-major order.
  public var scalars: [Float] { withExtendedLifetime(storage) { Array(buffer) } }

  /// The only scalar; `count` must be 1.
  public var item: Float {
    precondition(count == 1, "item: expected one scalar, found shape \(shape)")
    return withExtendedLifetime(storage) { storage.base[offset] }
  }

  /// Calls `body` with the scalars in row-major order, without a copy.
  public func withSpan<R>(_ body: (Span<Float>) throws -> R) rethrows -> R {
    try withExtendedLifetime(storage) { try body(buffer.span) }
  }

  /// Whether operations on this tensor record a graph.
  public var requiresGradient: Bool { node != nil }

  /// The same values without a graph.
  public var detached: Tensor { Tensor(shape: shape, storage: storage, offset: offset) }

  /// The same scalars under another shape of the same count.
  public func reshaped(_ shape: Shape) -> Tensor {
    precondition(
      shape.count == count, "reshaped: expected \(count) scalars, found shape \(shape)")
    return Tensor(shape: shape, storage: storage, offset: offset, node: node)
  }
}

extension Tensor {
  /// The scalars, valid while the tensor lives.
  ///
  /// Take it from function parameters and from values a pullback captured, which the caller keeps
  /// alive; hold a local tensor with `withExtendedLifetime`.
  var buffer: UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(start: storage.base + offset, count: count)
  }

  /// The first scalar; see `buffer` for how long it is valid.
  var base: UnsafePointer<Float> { UnsafePointer(storage.base + offset) }

  /// The result of an operation: `forward` writes every scalar of it.
  ///
  /// `pullback` is recorded only if one of the inputs requires a gradient. It gets the gradient of
  /// the result, and hands each input its share through `Cotangents`.
  static func make(
    _ shape: Shape, inputs: [Tensor] = [],
    forward: (UnsafeMutableBufferPointer<Float>) -> Void,
    pullback: @escaping Node.Pullback = { _, _ in }
  ) -> Tensor {
    let storage = Storage(count: shape.count)
    forward(storage.buffer)
    return Tensor(
      shape: shape, storage: storage, node: Node.recorded(shape, inputs: inputs, pullback))
  }
}
