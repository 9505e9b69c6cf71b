import CKernels

/// The gradients of a parameter block: one flat, copy-on-write block of the same layout.
public struct GradientBlock: Sendable {
  /// Names, shapes and places of the parameters.
  public let layout: ParameterLayout
  private let identity: BlockIdentity
  private(set) var storage: Storage

  /// Zeros for every parameter of a block.
  public init(for parameters: ParameterBlock) {
    layout = parameters.layout
    identity = parameters.identity
    storage = Storage(count: layout.count)
    storage.buffer.update(repeating: 0)
  }

  /// Runs backward from `loss` and adds `scale` times its gradient.
  ///
  /// Weight gradients are added where they lie, without an intermediate copy. Parameters of other
  /// blocks that the loss depends on are passed over.
  /// - Parameter loss: one scalar that depends on a parameter of the block.
  public mutating func accumulate(_ loss: Tensor, scale: Float = 1) {
    precondition(
      loss.count == 1, "accumulate: expected a loss of one scalar, found shape \(loss.shape)")
    guard let root = loss.node else {
      preconditionFailure("accumulate: the loss depends on no unfrozen parameter")
    }
    makeUnique()
    _ = root.backward(
      seed: scale, destination: Cotangents.Destination(identity: identity, base: storage.base))
  }

  /// The Euclidean norm over all scalars, summed in double precision.
  public var norm: Double {
    // Fixed chunks, added up in order: the same bits for any thread count.
    let chunks = 64
    let count = storage.count
    let base = storage.base
    var totals = [Double](repeating: 0, count: chunks)
    totals.withUnsafeMutableBufferPointer { totals in
      Threads.each(chunks) { chunk in
        let start = count * chunk / chunks
        totals[chunk] = plumb_sum_of_squares(count * (chunk + 1) / chunks - start, base + start)
      }
    }
    return totals.reduce(0, +).squareRoot()
  }

  /// Multiplies every scalar by `factor`.
  public mutating func scale(by factor: Float) {
    makeUnique()
    let base = storage.base
    Threads.split(storage.count, grain: 65_536) { range in
      plumb_scale(range.count, factor, base + range.lowerBound)
    }
  }

  /// Sets every scalar to 0.
  public mutating func reset() {
    if !isKnownUniquelyReferenced(&storage) { storage = Storage(count: storage.count) }
    storage.buffer.update(repeating: 0)
  }

  /// The gradient of one parameter.
  public subscript(_ id: ParameterID) -> Tensor {
    let entry = layout[id]
    return Tensor(shape: entry.shape, storage: storage, offset: entry.offset)
  }

  /// Whether no scalar is infinite or NaN.
  public func allFinite() -> Bool { storage.allFinite() }

  private mutating func makeUnique() {
    if !isKnownUniquelyReferenced(&storage) { storage = storage.copy(count: storage.count) }
  }
}
