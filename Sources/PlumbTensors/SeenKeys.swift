import CKernels

/// The tokens whose keys a segment sees, those of its prefix first, and one head's columns of them.
struct SeenKeys {
  /// Runs of tokens: the prefix, if it holds any, and the segment itself.
  let runs: [Range<Int>]
  let count: Int
  let column: Int
  let headDimension: Int

  init(
    _ segment: PackedLayout.Segment, _ layout: PackedLayout, column: Int, headDimension: Int
  ) {
    let prefix = segment.prefix.map { layout.segments[$0] }
    runs = [prefix, segment].compactMap { $0.map { $0.start..<($0.start + $0.count) } }
    count = runs.reduce(0) { $0 + $1.count }
    self.column = column
    self.headDimension = headDimension
  }

  /// [count, hd].
  func gathered(_ x: AttentionKernel.Rows) -> Storage {
    let result = Storage(count: count * headDimension)
    var target = result.base
    for run in runs {
      for row in run {
        target.update(from: x.base + row * x.stride + column, count: headDimension)
        target += headDimension
      }
    }
    return result
  }

  /// [hd, count].
  func transposed(_ x: AttentionKernel.Rows) -> TransposedRows {
    let result = TransposedRows(rows: headDimension, columns: count)
    var start = 0
    for run in runs {
      plumb_transpose(
        run.count, headDimension, x.base + run.lowerBound * x.stride + column, x.stride,
        result.storage.base + start, count)
      start += run.count
    }
    return result
  }

  /// Adds [count, hd] to the rows that the keys came from.
  ///
  /// The segment's own rows are written where nothing is there yet. Those of a prefix never are: the
  /// prefix is a segment itself, which came before.
  func scatter(_ x: Storage, to share: AttentionKernel.Share) {
    var source = UnsafePointer(x.base)
    for (index, run) in runs.enumerated() {
      let isWritten = share.isFresh && index == runs.count - 1
      for row in run {
        let target = share.base + row * share.stride + column
        if isWritten {
          target.update(from: source, count: headDimension)
        } else {
          plumb_add(headDimension, source, target)
        }
        source += headDimension
      }
    }
  }
}

/// A matrix in memory of its own, made by transposition.
struct TransposedRows {
  let storage: Storage
  let rows: Int
  let columns: Int

  init(rows: Int, columns: Int) {
    storage = Storage(count: rows * columns)
    self.rows = rows
    self.columns = columns
  }

  var matrix: MatrixView { MatrixView(storage.base, rows, columns) }
}
