public import FoundationEssentials

/// A tensor in a GGUF file.
public struct GGUFTensor: Hashable, Sendable {
  /// The name in the file, such as `blk.0.attn_q.weight`.
  public let name: String
  /// The extents, the one that runs fastest last: [rows, columns], as everywhere in Plumb.
  public let shape: [Int]
  /// How the numbers are stored.
  public let type: GGUFTensorType
  /// Where the first block stands in the file.
  var offset: Int

  /// Numbers in all.
  public var count: Int { shape.reduce(1, *) }
  /// The last extent: rows are stored in whole blocks.
  public var columnCount: Int { shape[shape.count - 1] }
  /// Rows of the tensor seen as a matrix.
  public var rowCount: Int { count / columnCount }
  /// Bytes in the file.
  public var byteCount: Int { rowCount * rowByteCount }

  var rowByteCount: Int { columnCount / type.blockCount * type.blockByteCount }
}

/// A GGUF file opened for reading: the head is checked at once, the rest is read on demand.
///
/// Files of versions 2 and 3, little-endian. Knows no model: what the metadata mean is for others.
public struct GGUFFile: Sendable {
  /// The file.
  public let url: URL
  /// The file as the user named it, for messages.
  public var path: String { file.path }
  /// The version of the format, 2 or 3.
  public let version: Int
  /// The tensors, in the order of the file.
  public let tensors: [GGUFTensor]
  let file: InputFile
  let size: Int
  let values: [String: GGUFValue]

  /// Opens `url` and checks its head: counts, lengths, types, extents, alignment, overlaps.
  ///
  /// Throws ``CheckpointError``. Takes memory for keys, names and places only, and never more than
  /// a small multiple of what the head takes in the file.
  public init(contentsOf url: URL) throws {
    self.url = url
    file = try InputFile(url)
    guard let size = file.size else {
      throw CheckpointError(
        .unreadable, path: url.path, "cannot read", expected: "a regular file",
        found: "a pipe or device")
    }
    self.size = size
    let header = try GGUFHeader(reading: file, size: size)
    (version, tensors, values) = (header.version, header.tensors, header.values)
  }

  /// The numbers of some rows of `tensor`, dequantised to single precision.
  ///
  /// Equal to the package `gguf` (`gguf.quants.dequantize`) bit for bit. Memory is taken for the
  /// result and for the rows as they are stored. Throws ``CheckpointError``.
  /// - Parameters:
  ///   - tensor: one of ``tensors``.
  ///   - rows: a part of `0..<tensor.rowCount`; all rows if nil.
  public func floats(of tensor: GGUFTensor, rows: Range<Int>? = nil) throws -> [Float] {
    let rows = rows ?? 0..<tensor.rowCount
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= tensor.rowCount,
      "floats: expected rows in 0..<\(tensor.rowCount), found \(rows)")
    var bytes = [UInt8](repeating: 0, count: rows.count * tensor.rowByteCount)
    let got = try bytes.withUnsafeMutableBytes {
      try file.read(into: $0, at: tensor.offset + rows.lowerBound * tensor.rowByteCount)
    }
    guard got == bytes.count else {
      throw CheckpointError(
        .truncated, path: file.path,
        "the file was cut short while tensor '\(tensor.name)' was read")
    }
    return tensor.type.floats(bytes)
  }
}
