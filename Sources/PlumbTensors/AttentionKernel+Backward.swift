import CKernels

extension AttentionKernel {
  /// Backward over the tiles of one segment, for the heads that share a key head.
  ///
  /// Scores are computed again from the logarithms of the softmax sums (Dao et al. 2022).
  struct BackwardPass {
    private let kernel: AttentionKernel
    private let seen: SeenKeys
    private let keys: Storage
    private let keysTransposed: TransposedRows
    private let valuesTransposed: TransposedRows
    private let keyGradient: Storage
    private let valueGradient: Storage
    private let scores: Storage
    private let slopes: Storage
    /// For the dot product of each query row's result with its gradient.
    let deltas: Storage

    init(_ kernel: AttentionKernel, _ seen: SeenKeys, _ operands: Operands) {
      self.kernel = kernel
      self.seen = seen
      keys = seen.gathered(operands.key)
      keysTransposed = seen.transposed(operands.key)
      valuesTransposed = seen.transposed(operands.value)
      keyGradient = Storage(count: seen.count * kernel.headDimension)
      valueGradient = Storage(count: seen.count * kernel.headDimension)
      scores = Storage(count: AttentionKernel.blockRows * seen.count)
      slopes = Storage(count: AttentionKernel.blockRows * seen.count)
      deltas = Storage(count: AttentionKernel.blockRows)
      keyGradient.buffer.update(repeating: 0)
      valueGradient.buffer.update(repeating: 0)
    }

    /// dV += P^T G, dK += dS^T Q, dQ += dS K for one tile; `deltas` must be set.
    func add(
      _ tile: Tile, queries: MatrixView, gradient: MatrixView, logsumexps: UnsafePointer<Float>,
      to query: (share: Share, column: Int)?
    ) {
      let size = kernel.headDimension
      kernel.computeScores(tile, queries, keysTransposed, into: scores.base)
      multiplyHere(
        gradient, valuesTransposed.matrix.columns(0..<tile.width), into: slopes.base,
        stride: tile.width)
      plumb_causal_backward(
        tile.rows, tile.width, tile.visible, kernel.scale, logsumexps, kernel.headCount,
        deltas.base, scores.base, slopes.base)
      let p = MatrixView(scores.base, tile.rows, tile.width)
      let ds = MatrixView(slopes.base, tile.rows, tile.width)
      multiplyHere(p.transposed, gradient, into: valueGradient.base, stride: size, beta: 1)
      multiplyHere(ds.transposed, queries, into: keyGradient.base, stride: size, beta: 1)
      if let query {
        multiplyHere(
          ds, MatrixView(keys.base, tile.width, size),
          into: query.share.base + tile.row * query.share.stride + query.column,
          stride: query.share.stride, beta: query.share.isFresh ? 0 : 1)
      }
    }

    /// Hands the gradients of keys and values over.
    func finish(key: Share?, value: Share?) {
      if let key { seen.scatter(keyGradient, to: key) }
      if let value { seen.scatter(valueGradient, to: value) }
      withExtendedLifetime(self) {}
    }
  }
}
