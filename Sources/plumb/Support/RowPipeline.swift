import PlumbCheckpoints

/// Reads rows, answers them in batches, and prints the answers in the order of the rows.
///
/// A file is checked as a whole before anything is computed, so that a fault in its last line costs no
/// time and leaves no half output. A stream is answered as it comes, up to the row at fault.
struct RowPipeline<Request> {
  /// The file, or `-`.
  let input: String
  /// The work of a batch; a larger request stands alone.
  let budget: Int
  /// The work of a request, in the same unit.
  let work: (Request) -> Int
  /// Reads and checks a row.
  let decode: (Row) throws -> Request
  /// Answers a batch: any number of lines for each request, in order.
  let answer: ([Request]) throws -> [JSONValue]

  /// Answers all rows.
  func run() throws {
    var reader = try RowReader(input)
    var batch: [Request] = []
    var batchWork = 0
    var progress = RowProgress()
    func finishBatch() throws {
      guard !batch.isEmpty else { return }
      try StandardOutput().write(lines: try answer(batch))
      progress.advance(rows: batch.count)
      (batch, batchWork) = ([], 0)
    }
    func add(_ request: Request) throws {
      if batchWork + work(request) > budget { try finishBatch() }
      batch.append(request)
      batchWork += work(request)
    }

    var rowCount = 0
    if reader.isStream {
      while let row = try beforeFailing(finishBatch, { try reader.next() }) {
        try add(try beforeFailing(finishBatch) { try decode(row) })
        rowCount += 1
      }
    } else {
      var requests: [Request] = []
      while let row = try reader.next() { requests.append(try decode(row)) }
      for request in requests { try add(request) }
      rowCount = requests.count
    }
    guard rowCount > 0 else { throw reader.emptiness }
    try finishBatch()
    progress.finish()
  }

  /// Calls `body`; where it throws, the rows before are answered first.
  private func beforeFailing<R>(_ rescue: () throws -> Void, _ body: () throws -> R) throws -> R {
    do {
      return try body()
    } catch {
      try rescue()
      throw error
    }
  }
}
