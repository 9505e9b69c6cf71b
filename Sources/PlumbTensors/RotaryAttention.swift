import CKernels

/// Rotary embedding and causal self-attention straight from the fused projection.
///
/// The same as `rotary` of queries and keys, then `causalAttention`, but query, key and value are
/// never taken apart: they are turned in one copy of the projection, and read and written there.
/// - Parameters:
///   - projected: [N, (H + 2 KV) * hd], queries, keys and values side by side.
///   - positions: [N], from 0.
///   - base: `rope_theta` of the configuration; nil leaves queries and keys as they are.
///   - layout: the segments, N tokens in all.
///   - headDimension: hd, even under rotation.
///   - keyValueHeadCount: KV, a divisor of H.
/// - Returns: [N, H * hd].
public func rotaryAttention(
  queryKeyValue projected: Tensor, positions: [Int32], base: Float?, layout: PackedLayout,
  headDimension: Int, keyValueHeadCount: Int
) -> Tensor {
  let count = layout.tokenCount
  precondition(
    projected.shape.rank == 2 && projected.shape[0] == count && headDimension > 0
      && projected.shape[1] % headDimension == 0,
    "rotaryAttention: expected [\(count), heads * \(headDimension)], found \(projected.shape)")
  let width = projected.shape[1]
  let headCount = width / headDimension - 2 * keyValueHeadCount
  precondition(
    keyValueHeadCount > 0 && headCount > 0 && headCount % keyValueHeadCount == 0,
    "rotaryAttention: expected H + 2 * \(keyValueHeadCount) heads with H a multiple of "
      + "\(keyValueHeadCount), found \(width / headDimension)")
  let rotation = base.map {
    HeadRotation(
      positions: positions, headDimension: headDimension, headCount: headCount + keyValueHeadCount,
      base: $0)
  }
  let attention = AttentionKernel(
    layout: layout, headDimension: headDimension, headCount: headCount,
    keyValueHeadCount: keyValueHeadCount)
  let turned = rotation?.turned(projected) ?? projected.detached
  let logsumexps = Storage(count: count * headCount)
  let shape: Shape = [count, headCount * headDimension]
  let storage = Storage(count: shape.count)
  attention.forward(attention.operands(in: turned), into: storage.base, logsumexps: logsumexps)
  let receiver = projected.withoutValues
  let node = Node.recorded(shape, inputs: [projected]) { gradient, cotangents in
    let slopes = Storage(count: count * width)
    attention.backward(
      attention.operands(in: turned), result: storage.base, logsumexps: logsumexps,
      gradient: gradient.base, to: attention.shares(in: slopes))
    rotation?.turnBack(slopes, stride: width)
    cotangents.pass(Tensor(shape: [count, width], storage: slopes), to: receiver)
  }
  return Tensor(shape: shape, storage: storage, node: node)
}

extension AttentionKernel {
  private var keyColumn: Int { queryWidth }
  private var valueColumn: Int { queryWidth + keyValueHeadCount * headDimension }

  /// Queries, keys and values side by side.
  fileprivate func operands(in x: Tensor) -> Operands {
    func rows(_ column: Int) -> Rows { Rows(base: x.base + column, stride: x.shape[1]) }
    return Operands(query: rows(0), key: rows(keyColumn), value: rows(valueColumn))
  }

  /// Fresh gradients in the same places.
  fileprivate func shares(in x: Storage) -> Shares {
    let stride = valueColumn + keyValueHeadCount * headDimension
    func share(_ column: Int) -> Share {
      Share(base: x.base + column, stride: stride, isFresh: true)
    }
    return Shares(query: share(0), key: share(keyColumn), value: share(valueColumn))
  }
}

/// Turns the first heads of each row by the angles of its position.
private struct HeadRotation: Sendable {
  let positions: [Int32]
  let headDimension: Int
  let headCount: Int
  let table: RotaryTable

  init(positions: [Int32], headDimension: Int, headCount: Int, base: Float) {
    precondition(
      headDimension % 2 == 0 && positions.allSatisfy { $0 >= 0 },
      "rotaryAttention: expected an even head and positions from 0")
    self.positions = positions
    self.headDimension = headDimension
    self.headCount = headCount
    table = RotaryTable.covering(
      Int(positions.max() ?? 0) + 1, headDimension: headDimension, base: base)
  }

  /// A copy with its first heads turned.
  func turned(_ x: Tensor) -> Tensor {
    precondition(
      positions.count == x.shape[0],
      "rotaryAttention: expected \(x.shape[0]) positions, found \(positions.count)")
    let width = x.shape[1]
    return Tensor.make(x.shape) { result in
      guard let y = result.baseAddress else { return }
      // Row by row, so that what is turned was copied just before.
      turn(y, stride: width, direction: 1) { row in
        (y + row * width).update(from: x.base + row * width, count: width)
      }
    }
  }

  func turnBack(_ x: Storage, stride: Int) {
    turn(x.base, stride: stride, direction: -1) { _ in }
  }

  private func turn(
    _ x: UnsafeMutablePointer<Float>, stride: Int, direction: Float, prepare: (Int) -> Void
  ) {
    positions.withUnsafeBufferPointer { positions in
      guard let places = positions.baseAddress else { return }
      Threads.split(positions.count, grain: rowGrain(stride)) { range in
        for row in range {
          prepare(row)
          plumb_rotary_in_place(
            1, headCount, headDimension, places + row, table.cosines.base, table.sines.base,
            direction, x + row * stride, stride)
        }
      }
    }
  }
}
