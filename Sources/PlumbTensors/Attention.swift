/// Causal self-attention over packed sequences, with grouped queries.
///
/// Grouped queries: Ainslie et al. 2023. Each token attends to its segment up to itself, and to all of the segment's prefix:
/// `softmax(q k^T / sqrt(hd)) v`. Scores exist only in tiles; backward computes them again from the
/// logarithms of the softmax sums (as Dao et al. 2022 do).
/// - Parameters:
///   - query: [N, H * hd].
///   - key: [N, KV * hd]; H must be a multiple of KV, and head h reads key head h / (H / KV).
///   - value: [N, KV * hd].
///   - layout: the segments, N tokens in all.
///   - headDimension: hd.
/// - Returns: [N, H * hd].
public func causalAttention(
  query: Tensor, key: Tensor, value: Tensor, layout: PackedLayout, headDimension: Int
) -> Tensor {
  let count = layout.tokenCount
  precondition(
    query.shape.rank == 2 && key.shape.rank == 2 && query.shape[0] == count
      && key.shape[0] == count && value.shape == key.shape,
    "causalAttention: expected \(count) rows of query, key and value, found \(query.shape), "
      + "\(key.shape) and \(value.shape)")
  let (queryWidth, keyWidth) = (query.shape[1], key.shape[1])
  precondition(
    headDimension > 0 && keyWidth > 0 && keyWidth % headDimension == 0
      && queryWidth % keyWidth == 0,
    "causalAttention: expected widths H * \(headDimension) and KV * \(headDimension) with H a "
      + "multiple of KV, found \(queryWidth) and \(keyWidth)")
  let attention = AttentionKernel(
    layout: layout, headDimension: headDimension, headCount: queryWidth / headDimension,
    keyValueHeadCount: keyWidth / headDimension)
  let operands: @Sendable () -> AttentionKernel.Operands = {
    AttentionKernel.Operands(query: query.allRows, key: key.allRows, value: value.allRows)
  }
  let logsumexps = Storage(count: count * attention.headCount)
  let storage = Storage(count: query.count)
  attention.forward(operands(), into: storage.base, logsumexps: logsumexps)
  let node = Node.recorded(query.shape, inputs: [query, key, value]) { gradient, cotangents in
    var dQuery = cotangents.open(query)
    var dKey = cotangents.open(key)
    var dValue = cotangents.open(value)
    attention.backward(
      operands(), result: storage.base, logsumexps: logsumexps, gradient: gradient.base,
      to: AttentionKernel.Shares(
        query: dQuery?.allRows(queryWidth), key: dKey?.allRows(keyWidth),
        value: dValue?.allRows(keyWidth)))
    cotangents.close(&dQuery)
    cotangents.close(&dKey)
    cotangents.close(&dValue)
  }
  return Tensor(shape: query.shape, storage: storage, node: node)
}

extension Tensor {
  /// A matrix as it lies.
  fileprivate var allRows: AttentionKernel.Rows {
    AttentionKernel.Rows(base: base, stride: shape[1])
  }
}

extension Cotangents.Share {
  /// A matrix of `width` columns as it lies.
  fileprivate func allRows(_ width: Int) -> AttentionKernel.Share {
    AttentionKernel.Share(base: base(at: 0), stride: width, isFresh: isFresh)
  }
}
