import CKernels

/// The loops of attention over groups of segments, heads and blocks of query rows.
///
/// Scores exist only in tiles of `blockRows` query rows, which stay in the second cache. The keys and
/// values that a segment sees, those of its prefix first, are laid out once per segment and head in
/// the order in which the products read them.
struct AttentionKernel: Sendable {
  /// Rows of one kind somewhere in memory, all heads of a token side by side.
  struct Rows {
    let base: UnsafePointer<Float>
    let stride: Int
  }

  struct Operands {
    let query: Rows
    let key: Rows
    let value: Rows
  }

  /// Where gradients go: written if nothing is there yet, added otherwise.
  struct Share {
    let base: UnsafeMutablePointer<Float>
    let stride: Int
    let isFresh: Bool
  }

  struct Shares {
    let query: Share?
    let key: Share?
    let value: Share?
  }

  let layout: PackedLayout
  let headDimension: Int
  let headCount: Int
  let keyValueHeadCount: Int

  /// Query rows per tile: small enough that little is computed above the diagonal.
  static let blockRows = 64

  var queryWidth: Int { headCount * headDimension }
  var headsPerKey: Int { headCount / keyValueHeadCount }
  var scale: Float { 1 / Float(headDimension).squareRoot() }

  /// One tile of scores: some query rows of a segment against all keys they may see.
  struct Tile {
    /// The first query row among all tokens, and the number of rows.
    let row: Int
    let rows: Int
    /// All keys that the last row sees.
    let width: Int
    /// The keys that the first row sees.
    var visible: Int { width - rows + 1 }
  }

  func tiles(of segment: PackedLayout.Segment) -> [Tile] {
    let prefixCount = segment.prefix.map { layout.segments[$0].count } ?? 0
    return stride(from: 0, to: segment.count, by: Self.blockRows).map { start in
      let end = min(segment.count, start + Self.blockRows)
      return Tile(row: segment.start + start, rows: end - start, width: prefixCount + end)
    }
  }

  func forward(
    _ operands: Operands, into result: UnsafeMutablePointer<Float>, logsumexps: Storage
  ) {
    // Heads that share a key head share its layout in memory, unless that leaves too few tasks.
    let segments = layout.segments
    let isGrouped = segments.count * keyValueHeadCount >= 4 * Threads.count
    let together = isGrouped ? headsPerKey : 1
    let tasks = headCount / together
    Threads.each(segments.count * tasks) { index in
      let first = index % tasks * together
      forward(
        heads: first..<first + together, of: segments[index / tasks], operands, into: result,
        logsumexps: logsumexps)
    }
  }

  /// One segment's rows for heads that read the same key head.
  private func forward(
    heads: Range<Int>, of segment: PackedLayout.Segment, _ operands: Operands,
    into result: UnsafeMutablePointer<Float>, logsumexps: Storage
  ) {
    let seen = SeenKeys(
      segment, layout, column: keyColumn(heads.lowerBound), headDimension: headDimension)
    let sums = Storage(count: Self.blockRows)
    let scores = Storage(count: Self.blockRows * seen.count)
    let keys = seen.transposed(operands.key)
    let values = seen.gathered(operands.value)
    defer { withExtendedLifetime((sums, scores, keys, values)) {} }
    for head in heads {
      for tile in tiles(of: segment) {
        let y = result + tile.row * queryWidth + head * headDimension
        computeScores(tile, queries(operands.query, tile, head), keys, into: scores.base)
        plumb_causal_exponentials(
          tile.rows, tile.width, tile.visible, scores.base, sums.base,
          logsumexps.base + tile.row * headCount + head, headCount)
        multiplyHere(
          MatrixView(scores.base, tile.rows, tile.width),
          MatrixView(values.base, tile.width, headDimension), into: y, stride: queryWidth)
        plumb_divide_rows(tile.rows, headDimension, queryWidth, y, sums.base)
      }
    }
  }

  /// `result` and `gradient` lie [N, H * hd].
  func backward(
    _ operands: Operands, result: UnsafePointer<Float>, logsumexps: Storage,
    gradient: UnsafePointer<Float>, to shares: Shares
  ) {
    let groups = groups()
    Threads.each(groups.count * keyValueHeadCount) { index in
      let keyHead = index % keyValueHeadCount
      for segment in groups[index / keyValueHeadCount] {
        let seen = SeenKeys(
          segment, layout, column: keyHead * headDimension, headDimension: headDimension)
        let pass = BackwardPass(self, seen, operands)
        for head in (keyHead * headsPerKey)..<((keyHead + 1) * headsPerKey) {
          for tile in tiles(of: segment) {
            let at = tile.row * queryWidth + head * headDimension
            plumb_row_dots(
              tile.rows, headDimension, queryWidth, gradient + at, result + at, pass.deltas.base)
            let own = Rows(base: gradient, stride: queryWidth)
            pass.add(
              tile, queries: queries(operands.query, tile, head),
              gradient: queries(own, tile, head),
              logsumexps: logsumexps.base + tile.row * headCount + head,
              to: shares.query.map { (share: $0, column: head * headDimension) })
          }
        }
        pass.finish(key: shares.key, value: shares.value)
      }
    }
  }

  /// All segments that touch the same keys form a group, prefixes first, and all heads that do so go
  /// together: no two threads ever add to the same place, and the order of additions is fixed.
  private func groups() -> [[PackedLayout.Segment]] {
    var groups: [[PackedLayout.Segment]] = []
    var groupOfSegment: [Int] = []
    for segment in layout.segments {
      if let prefix = segment.prefix {
        groupOfSegment.append(groupOfSegment[prefix])
        groups[groupOfSegment[prefix]].append(segment)
      } else {
        groupOfSegment.append(groups.count)
        groups.append([segment])
      }
    }
    return groups
  }

  private func keyColumn(_ head: Int) -> Int { head / headsPerKey * headDimension }

  private func queries(_ x: Rows, _ tile: Tile, _ head: Int) -> MatrixView {
    MatrixView(
      x.base + tile.row * x.stride + head * headDimension, tile.rows, headDimension,
      stride: x.stride)
  }

  /// The scaled scores of a tile, [rows, width]; entries above the diagonal are filled too.
  func computeScores(
    _ tile: Tile, _ queries: MatrixView, _ keys: TransposedRows,
    into scores: UnsafeMutablePointer<Float>
  ) {
    multiplyHere(
      queries, keys.matrix.columns(0..<tile.width), into: scores, stride: tile.width, alpha: scale)
  }
}
