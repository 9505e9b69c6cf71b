import CKernels

/// Probabilities from logits: `e^x / sum(e^x)` along each row.
///
/// - Parameter x: [N, C].
public func softmax(_ x: Tensor) -> Tensor {
  rowOperation("softmax", x, plumb_softmax, plumb_softmax_backward)
}

/// Log-probabilities from logits: `x - log(sum(e^x))` along each row.
///
/// - Parameter x: [N, C].
public func logSoftmax(_ x: Tensor) -> Tensor {
  rowOperation("logSoftmax", x, plumb_log_softmax, plumb_log_softmax_backward)
}

/// Takes rows, columns, x and y.
private typealias Forward =
  @Sendable (
    Int, Int, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?
  ) -> Void
/// Takes rows, columns, gradient of y, y, gradient of x, and whether that is fresh.
private typealias Backward =
  @Sendable (
    Int, Int, UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Bool
  ) -> Void

/// An operation on rows whose gradient needs only its result.
private func rowOperation(
  _ name: String, _ x: Tensor, _ forward: Forward, _ backward: @escaping Backward
) -> Tensor {
  precondition(x.shape.rank == 2, "\(name): expected [N, C], found \(x.shape)")
  let (rows, columns) = (x.shape[0], x.shape[1])
  let grain = max(1, 4_096 / max(1, columns))
  let storage = Storage(count: x.count)
  Threads.split(rows, grain: grain) { range in
    let start = range.lowerBound * columns
    forward(range.count, columns, x.base + start, storage.base + start)
  }
  let receiver = x.withoutValues
  let node = Node.recorded(x.shape, inputs: [x]) { gradient, cotangents in
    cotangents.accumulate(into: receiver) { dx, isFresh in
      dx.withBase { dx in
        Threads.split(rows, grain: grain) { range in
          let start = range.lowerBound * columns
          backward(
            range.count, columns, gradient.base + start, storage.base + start, dx + start, isFresh)
        }
      }
    }
  }
  return Tensor(shape: x.shape, storage: storage, node: node)
}
