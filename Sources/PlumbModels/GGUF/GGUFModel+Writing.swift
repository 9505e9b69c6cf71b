public import Foundation
public import PlumbCheckpoints

extension GGUFModel {
  /// Numbers that are dequantised and written together; rows stay whole.
  private static let pieceCount = 1 << 18

  /// Writes `model.safetensors`, `generation_config.json` and `config.json` into a folder.
  ///
  /// Numbers are dequantised a few rows at a time: neither the model nor a tensor is ever held
  /// whole. `float32` keeps every number as the file means it; 16 bits round to nearest even.
  /// - Parameters:
  ///   - directory: a folder that exists.
  ///   - type: `float32`, `float16` or `bfloat16`.
  ///   - progress: told after each piece how many of ``parameterCount`` numbers are done; what it
  ///     throws ends the writing.
  /// - Throws: `ModelError` for numbers that are not finite, or not in the chosen type;
  ///   `CheckpointError` for files that cannot be read or written.
  public func write(
    to directory: URL, as type: ElementType = .float32,
    progress: (_ done: Int) throws -> Void = { _ in }
  ) throws {
    let byName = Dictionary(uniqueKeysWithValues: sources.map { ($0.name, $0) })
    var done = 0
    try Safetensors.write(
      streaming: sources.map { TensorDeclaration($0.name, shape: $0.shape, type: type) },
      to: directory.appending(path: "model.safetensors")
    ) { declaration, append in
      guard let source = byName[declaration.name] else { return }
      try forEachPiece(of: source) { piece in
        try check(piece, of: source, as: type)
        try append(piece)
        done += piece.count
        try progress(done)
      }
    }
    try ModelFolder.writeConfigurations(configuration, as: type, to: directory)
  }

  /// Calls `body` with the numbers of a parameter, some rows at a time.
  func forEachPiece(of source: Source, _ body: ([Float]) throws -> Void) throws {
    let tensor = source.tensor
    let headRows = source.pairedHeads.map { tensor.rowCount / $0 } ?? 1
    let unit = headRows * tensor.columnCount
    let rows = max(1, Self.pieceCount / unit) * headRows
    for start in stride(from: 0, to: tensor.rowCount, by: rows) {
      let range = start..<min(start + rows, tensor.rowCount)
      let values = try file.floats(of: tensor, rows: range)
      try body(
        source.pairedHeads == nil
          ? values
          : Self.unpaired(values, headRows: headRows, columnCount: tensor.columnCount))
    }
  }

  /// Undoes what the converter of `llama` does to the rows of query and key.
  ///
  /// Hugging Face rotates row i of a head with row i + hd/2; the file has such two rows beside each
  /// other, as 2i and 2i + 1.
  /// - Parameters:
  ///   - values: whole heads.
  ///   - headRows: hd, rows of a head.
  ///   - columnCount: numbers of a row.
  static func unpaired(_ values: [Float], headRows: Int, columnCount: Int) -> [Float] {
    [Float](unsafeUninitializedCapacity: values.count) { buffer, count in
      count = values.count
      values.withUnsafeBufferPointer { values in
        guard let source = values.baseAddress, let target = buffer.baseAddress else { return }
        for row in 0..<values.count / columnCount {
          let (head, place) = row.quotientAndRemainder(dividingBy: headRows)
          let (half, index) = place.quotientAndRemainder(dividingBy: headRows / 2)
          let stored = head * headRows + 2 * index + half
          (target + row * columnCount).initialize(
            from: source + stored * columnCount, count: columnCount)
        }
      }
    }
  }

  /// Refuses NaN and infinities, also those that rounding to 16 bits would make.
  private func check(_ piece: [Float], of source: Source, as type: ElementType) throws {
    let limit: Float =
      switch type {
      case .float16: 65_520
      case .bfloat16: Float(bitPattern: 0x7F7F_8000)
      default: .infinity
      }
    guard let culprit = piece.first(where: { !(abs($0) < limit) }) else { return }
    throw ModelError.invalidValue(
      path: file.path, key: source.tensor.name,
      expected: culprit.isFinite
        ? "numbers that fit into \(type.torchName) (choose float32 or bfloat16)"
        : "finite numbers", found: "\(culprit)")
  }
}
