/// The head of a GGUF file: metadata and the places of the tensors, checked against the file.
///
/// The format is that of ggml's `docs/gguf.md`, versions 2 and 3: magic, version, counts, metadata,
/// tensor infos, padding, data. Nothing is believed: not a count, a length, an extent or an offset.
struct GGUFHeader {
  let version: Int
  private(set) var values: [String: GGUFValue] = [:]
  private(set) var tensors: [GGUFTensor] = []

  /// Far above any model; tables of this many entries are still small.
  private static let mostValues = 1 << 16
  private static let mostTensors = 1 << 18
  /// The format's limit for keys; ggml allows tensor names of 64 bytes.
  static let longestName = 65_535

  init(reading file: InputFile, size: Int) throws {
    var cursor = GGUFCursor(file, size: size)
    version = try Self.version(&cursor)
    let tensorCount = try Self.count(&cursor, "tensors", leastByteCount: 32, Self.mostTensors)
    let valueCount = try Self.count(
      &cursor, "metadata entries", leastByteCount: 13, Self.mostValues)
    for _ in 0..<valueCount {
      let key = try cursor.text(limit: Self.longestName, "a metadata key")
      guard values.updateValue(try GGUFValue(&cursor, key: key), forKey: key) == nil else {
        throw CheckpointError(.malformed, path: file.path, "metadata '\(key)' is there twice")
      }
    }
    let alignment = try alignment(file, size: size)
    for _ in 0..<tensorCount {
      tensors.append(try GGUFTensor(&cursor, alignment: alignment))
    }
    let padding = (alignment - cursor.offset % alignment) % alignment
    try place(from: cursor.offset + padding, in: cursor)
  }

  private static func version(_ cursor: inout GGUFCursor) throws -> Int {
    let path = cursor.file.path
    func refusal(_ message: String, _ expected: String, _ found: String) -> CheckpointError {
      CheckpointError(.unsupported, path: path, message, expected: expected, found: found)
    }
    let magic = try cursor.next(UInt32.self, "the magic number")
    guard magic == 0x4655_4747 else {
      let bytes = (0..<4).map { UInt8(truncatingIfNeeded: magic >> (8 * $0)) }
      let text = bytes.allSatisfy { (0x20..<0x7F).contains($0) }
      throw CheckpointError(
        .malformed, path: path, "this is no GGUF file", expected: "\"GGUF\" at its beginning",
        found: text ? "\"\(String(decoding: bytes, as: UTF8.self))\"" : "\(bytes)")
    }
    let version = try cursor.next(UInt32.self, "the version")
    if version != 0, version & 0xFFFF == 0 {
      throw refusal(
        "big-endian GGUF files are not read", "a little-endian file", "a big-endian one")
    }
    guard version == 2 || version == 3 else {
      throw refusal("this version of GGUF is not read", "version 2 or 3", "version \(version)")
    }
    return Int(version)
  }

  private static func count(
    _ cursor: inout GGUFCursor, _ what: String, leastByteCount: Int, _ limit: Int
  ) throws -> Int {
    let count = try cursor.count(ofItemsOf: leastByteCount, "the number of \(what)")
    guard count <= limit else {
      throw CheckpointError(
        .unsupported, path: cursor.file.path, "there are too many \(what)",
        expected: "at most \(limit)", found: "\(count)")
    }
    return count
  }

  private func alignment(_ file: InputFile, size: Int) throws -> Int {
    guard let value = values["general.alignment"] else { return 32 }
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    guard value.type == .uint32 else {
      throw CheckpointError(
        .malformed, path: file.path, "metadata 'general.alignment': wrong type",
        expected: "an integer of 32 bits without sign", found: value.words)
    }
    let alignment = try cursor.next(UInt32.self, "the alignment")
    guard alignment > 0, alignment & (alignment - 1) == 0 else {
      throw CheckpointError(
        .malformed, path: file.path, "metadata 'general.alignment': wrong value",
        expected: "a power of two", found: "\(alignment)")
    }
    return Int(alignment)
  }

  /// Moves the tensors behind `start`, and holds them against the file and each other.
  private mutating func place(from start: Int, in cursor: GGUFCursor) throws {
    let path = cursor.file.path
    var seen: Set<String> = []
    for index in tensors.indices {
      let tensor = tensors[index]
      guard seen.insert(tensor.name).inserted else {
        throw CheckpointError(.malformed, path: path, "tensor '\(tensor.name)' is there twice")
      }
      let room = cursor.size - start
      guard tensor.offset <= room, tensor.byteCount <= room - tensor.offset else {
        throw CheckpointError(
          .truncated, path: path, "tensor '\(tensor.name)' ends behind the file",
          expected: "\(tensor.byteCount) bytes at offset \(tensor.offset)",
          found: "\(max(0, room)) bytes of tensors in all")
      }
      tensors[index].offset += start
    }
    let inOrder = tensors.sorted { $0.offset < $1.offset }
    for (tensor, next) in zip(inOrder, inOrder.dropFirst())
    where tensor.offset + tensor.byteCount > next.offset {
      throw CheckpointError(
        .malformed, path: path, "tensors '\(tensor.name)' and '\(next.name)' overlap")
    }
  }
}

extension GGUFTensor {
  /// Reads one tensor info; its offset still counts from the beginning of the data.
  fileprivate init(_ cursor: inout GGUFCursor, alignment: Int) throws {
    let path = cursor.file.path
    let name = try cursor.text(limit: GGUFHeader.longestName, "a tensor's name")
    func fault(_ what: String, _ expected: String, _ found: String) -> CheckpointError {
      CheckpointError(
        .malformed, path: path, "tensor '\(name)': \(what)", expected: expected, found: found)
    }
    let axes = try cursor.next(UInt32.self, "the axes of tensor '\(name)'")
    // ggml's limit.
    guard (1...4).contains(axes) else {
      throw fault("wrong number of axes", "1 to 4", "\(axes)")
    }
    // ggml lists the extent that runs fastest first.
    var shape: [Int] = []
    var count = 1
    for _ in 0..<axes {
      let raw = try cursor.next(UInt64.self, "the extents of tensor '\(name)'")
      let (product, overflow) = count.multipliedReportingOverflow(by: Int(clamping: raw))
      // A number takes more than half a byte, so a count beyond twice the file cannot be true.
      guard raw > 0, !overflow, product / 4 <= cursor.size else {
        throw fault("wrong extent", "extents whose product fits into the file", "\(raw)")
      }
      shape.insert(Int(raw), at: 0)
      count = product
    }
    let code = try cursor.next(UInt32.self, "the type of tensor '\(name)'")
    guard let type = GGUFTensorType(rawValue: code) else {
      throw CheckpointError(
        .unsupported, path: path, "tensor '\(name)': this type is not read",
        expected: GGUFTensorType.allCases.map(\.name).joined(separator: ", "),
        found: GGUFTensorType.name(of: code))
    }
    guard shape[shape.count - 1].isMultiple(of: type.blockCount) else {
      throw fault(
        "the last extent is no whole number of blocks",
        "a multiple of \(type.blockCount) for \(type.name)", "\(shape[shape.count - 1])")
    }
    let offset = try cursor.next(UInt64.self, "the offset of tensor '\(name)'")
    guard offset % UInt64(alignment) == 0 else {
      throw fault("wrong offset", "a multiple of the alignment \(alignment)", "\(offset)")
    }
    self.init(name: name, shape: shape, type: type, offset: Int(clamping: offset))
  }
}
