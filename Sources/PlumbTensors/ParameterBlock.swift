import CKernels

/// All weights of a model in one flat, copy-on-write block.
///
/// `let reference = policy.parameters` is free: the first write to either copies. A write is in
/// place once the graph of the last loss is gone, since its leaves are views into the block.
public struct ParameterBlock: Sendable {
  /// Names, shapes and places of the parameters.
  public let layout: ParameterLayout
  /// Whether no tensor of this block carries a gradient: reference models, judges, sampling.
  public var isFrozen = false
  /// Low-rank changes to some of the weights; while there are any, only they carry gradients.
  public var updates: LowRankUpdates? {
    get { attached.first }
    set { attached = newValue.map { [$0] } ?? [] }
  }
  // A struct cannot hold a value that holds its own kind; an array of one can.
  private var attached: [LowRankUpdates] = []
  let identity = BlockIdentity()
  private(set) var storage: Storage

  /// A block whose scalars are all 0.
  public init(layout: ParameterLayout) {
    self.layout = layout
    storage = Storage(count: layout.count)
    storage.buffer.update(repeating: 0)
  }

  /// A block with every entry initialized as its layout says.
  ///
  /// Entry i draws from the stream (seed, "initialization", row i), so that it does not depend on
  /// the size of the others.
  public init(layout: ParameterLayout, seed: UInt64) {
    self.init(layout: layout)
    for (row, entry) in layout.entries.enumerated() {
      let scalars = UnsafeMutableBufferPointer(
        start: storage.base + entry.offset, count: entry.shape.count)
      switch entry.initialization {
      case .zeros: break
      case .ones: scalars.update(repeating: 1)
      case .uniform(let bound):
        var stream = RandomStream(seed: seed, purpose: "initialization", row: row)
        for i in scalars.indices { scalars[i] = bound * (2 * stream.uniform() - 1) }
      case .normal(let deviation):
        var stream = RandomStream(seed: seed, purpose: "initialization", row: row)
        for i in scalars.indices { scalars[i] = deviation * stream.normal() }
      }
    }
  }

  /// The same weights, without gradients.
  public var frozen: ParameterBlock {
    var result = self
    result.isFrozen = true
    return result
  }

  /// A parameter as a view into the block.
  public subscript(_ id: ParameterID) -> Tensor {
    let entry = layout[id]
    return view(entry.shape, offset: entry.offset)
  }

  /// Adjacent parameters with equal trailing extents seen as one tensor, their rows end to end.
  ///
  /// Query, key and value projections become one matrix product this way.
  public func fused(_ ids: [ParameterID]) -> Tensor {
    precondition(!ids.isEmpty, "fused: expected at least one parameter")
    let first = layout[ids[0]]
    let trailing = first.shape.extents.dropFirst()
    var rows = 0
    var end = first.offset
    for entry in ids.map({ layout[$0] }) {
      precondition(
        entry.offset == end, "fused: '\(entry.name)' is not adjacent to the parameter before it")
      precondition(
        entry.shape.rank >= 1 && entry.shape.extents.dropFirst() == trailing,
        "fused: expected trailing extents \(Array(trailing)), found \(entry.shape) ('\(entry.name)')"
      )
      rows += entry.shape[0]
      end += entry.shape.count
    }
    return view(Shape([rows] + trailing), offset: first.offset)
  }

  private func view(_ shape: Shape, offset: Int) -> Tensor {
    let isConstant = isFrozen || !attached.isEmpty
    let leaf = isConstant ? nil : Node(leaf: .parameter(of: identity, offset: offset), shape: shape)
    return Tensor(shape: shape, storage: storage, offset: offset, node: leaf)
  }

  /// The scalars of a parameter.
  public func values(of id: ParameterID) -> [Float] { self[id].scalars }

  /// Replaces the scalars of a parameter.
  public mutating func assign(_ values: [Float], to id: ParameterID) {
    let entry = layout[id]
    precondition(
      values.count == entry.shape.count,
      "assign: expected \(entry.shape.count) values for '\(entry.name)', found \(values.count)")
    withMutableBuffer { block in
      _ = UnsafeMutableBufferPointer(rebasing: block[entry.offset...])
        .update(fromContentsOf: values)
    }
  }

  /// Lets `body` change what is `trainable`, in place.
  public mutating func withTrainable<R>(
    _ body: (inout ParameterBlock) throws -> R
  ) rethrows -> R {
    attached.isEmpty ? try body(&self) : try body(&attached[0].parameters)
  }

  /// Takes over the entries of another block that have the same name and shape.
  public mutating func copyShared(from other: ParameterBlock) {
    let places = Dictionary(
      uniqueKeysWithValues: other.layout.entries.map { ($0.name, $0) })
    let entries = layout.entries
    withMutableBuffer { block in
      for entry in entries {
        guard let source = places[entry.name], source.shape == entry.shape else { continue }
        UnsafeMutableBufferPointer(rebasing: block[entry.offset...]).baseAddress?.update(
          from: other.storage.base + source.offset, count: entry.shape.count)
      }
    }
  }

  /// Calls `body` with all scalars, entry after entry, without a copy.
  public func withSpan<R>(_ body: (Span<Float>) throws -> R) rethrows -> R {
    try withExtendedLifetime(storage) {
      try body(UnsafeBufferPointer(storage.buffer).span)
    }
  }

  /// Whether no scalar is infinite or NaN.
  public func allFinite() -> Bool { storage.allFinite() }

  /// Lets `body` write the scalars, in place unless another value or a graph still reads them.
  mutating func withMutableBuffer<R>(
    _ body: (UnsafeMutableBufferPointer<Float>) -> R
  ) -> R {
    if !isKnownUniquelyReferenced(&storage) { storage = storage.copy(count: storage.count) }
    return body(storage.buffer)
  }
}

extension Storage {
  /// Whether no scalar is infinite or NaN.
  func allFinite() -> Bool {
    plumb_all_finite(count, base)
  }
}
