import FoundationEssentials

/// What a safetensors file says about itself, checked against the rules of the format.
///
/// The file is: the length N of the header (UInt64, little endian), N bytes of JSON, the data.
/// Every tensor names a range of the data; the ranges must cover it without hole or overlap
/// (github.com/huggingface/safetensors, "Format").
struct SafetensorsHeader: Sendable {
  struct Entry: Sendable {
    let name: String
    let type: ElementType
    let shape: [Int]
    /// Place of the data in the file, in bytes from its start.
    let offset: Int
    let byteCount: Int

    var count: Int { byteCount / type.byteCount }
  }

  let entries: [String: Entry]
  let metadata: [String: String]

  /// The limit of the reference implementation.
  static let maximumLength = 100_000_000

  init(reading file: InputFile) throws {
    let path = file.path
    guard let size = file.size else {
      throw CheckpointError(
        .unreadable, path: path, "cannot read tensors", expected: "a regular file",
        found: "a pipe or a device")
    }
    guard size >= 8 else {
      throw CheckpointError(
        .truncated, path: path, "not a safetensors file", expected: "at least 8 bytes",
        found: "\(size) bytes")
    }
    var word: UInt64 = 0
    _ = try withUnsafeMutableBytes(of: &word) { try file.read(into: $0, at: 0) }
    let announced = UInt64(littleEndian: word)
    guard announced <= UInt64(Self.maximumLength) else {
      throw CheckpointError(
        .malformed, path: path, "impossible header length (is this a safetensors file?)",
        expected: "at most \(Self.maximumLength) bytes", found: "\(announced)")
    }
    let length = Int(announced)
    guard length <= size - 8 else {
      throw CheckpointError(
        .truncated, path: path, "the file ends within its header",
        expected: "\(length + 8) bytes or more", found: "\(size)")
    }
    var bytes = [UInt8](repeating: 0, count: length)
    let got = try bytes.withUnsafeMutableBytes { try file.read(into: $0, at: 8) }
    guard got == length else {
      throw CheckpointError(.truncated, path: path, "the file shrank while it was read")
    }
    try self.init(json: bytes, dataOffset: 8 + length, dataCount: size - 8 - length, path: path)
  }

  init(json bytes: [UInt8], dataOffset: Int, dataCount: Int, path: String) throws {
    let json: JSONValue
    do {
      json = try JSONValue(parsing: bytes)
    } catch {
      throw CheckpointError(
        .malformed, path: path, "invalid JSON in the header at byte \(error.offset + 8)",
        expected: error.expected, found: error.found)
    }
    guard let fields = json.object else {
      throw CheckpointError(
        .malformed, path: path, "the header is not a table of tensors", expected: "an object",
        found: json.kindName)
    }
    var entries: [String: Entry] = [:]
    var metadata: [String: String] = [:]
    for field in fields {
      if field.key == "__metadata__" {
        metadata = try Self.metadata(field.value, path: path)
        continue
      }
      let entry = try Self.entry(field, dataOffset: dataOffset, dataCount: dataCount, path: path)
      guard entries.updateValue(entry, forKey: field.key) == nil else {
        throw CheckpointError(
          .malformed, path: path, "tensor '\(field.key)' stands twice in the header")
      }
    }
    try Self.checkCover(Array(entries.values), from: dataOffset, count: dataCount, path: path)
    self.entries = entries
    self.metadata = metadata
  }

  private static func metadata(_ value: JSONValue, path: String) throws -> [String: String] {
    var result: [String: String] = [:]
    for field in value.object ?? [] { result[field.key] = field.value.string }
    guard let count = value.object?.count, result.count == count else {
      throw CheckpointError(
        .malformed, path: path, "__metadata__ of the header", expected: "an object of strings",
        found: value.object == nil ? value.kindName : "other values")
    }
    return result
  }

  private static func entry(
    _ field: JSONField, dataOffset: Int, dataCount: Int, path: String
  ) throws -> Entry {
    func fault(
      _ kind: CheckpointError.Kind, _ message: String, expected: String, found: String
    ) -> CheckpointError {
      CheckpointError(
        kind, path: path, "tensor '\(field.key)': \(message)", expected: expected, found: found)
    }
    guard let dtype = field.value["dtype"]?.string else {
      throw fault(
        .malformed, "dtype", expected: "a string",
        found: field.value["dtype"]?.kindName ?? "nothing")
    }
    guard let type = ElementType(rawValue: dtype) else {
      let known = ElementType.allCases.map(\.rawValue).joined(separator: ", ")
      throw fault(.unsupported, "unknown dtype", expected: "one of \(known)", found: dtype)
    }
    let extents = field.value["shape"]?.array
    let shape = (extents ?? []).compactMap(\.integer).filter { $0 >= 0 }
    guard let extents, shape.count == extents.count else {
      throw fault(
        .malformed, "shape", expected: "a list of whole numbers, none negative",
        found: field.value["shape"]?.serialized() ?? "nothing")
    }
    let offsets = (field.value["data_offsets"]?.array ?? []).compactMap(\.integer)
    guard field.value["data_offsets"]?.array?.count == 2, offsets.count == 2, offsets[0] >= 0,
      offsets[1] >= offsets[0]
    else {
      throw fault(
        .malformed, "data_offsets", expected: "[begin, end] with 0 <= begin <= end",
        found: field.value["data_offsets"]?.serialized() ?? "nothing")
    }
    guard offsets[1] <= dataCount else {
      throw fault(
        .truncated, "the file ends within its data", expected: "\(offsets[1]) bytes of data",
        found: "\(dataCount)")
    }
    var needed = type.byteCount
    var overflows = false
    // A zero extent makes the product zero whatever the others are.
    for extent in shape.contains(0) ? [0] : shape {
      let (product, overflow) = needed.multipliedReportingOverflow(by: extent)
      (needed, overflows) = (product, overflows || overflow)
    }
    guard !overflows, needed == offsets[1] - offsets[0] else {
      throw fault(
        .malformed, "\(dtype) of shape \(shape) does not fill its data_offsets",
        expected: overflows ? "a shape that fits in memory" : "\(needed) bytes",
        found: "\(offsets[1] - offsets[0])")
    }
    return Entry(
      name: field.key, type: type, shape: shape, offset: dataOffset + offsets[0],
      byteCount: needed)
  }

  /// Refuses overlaps, holes, and bytes after the last tensor.
  private static func checkCover(
    _ entries: [Entry], from dataOffset: Int, count: Int, path: String
  ) throws {
    let inOrder = entries.sorted {
      ($0.offset, $0.byteCount, $0.name) < ($1.offset, $1.byteCount, $1.name)
    }
    var end = dataOffset
    for entry in inOrder {
      guard entry.offset == end else {
        throw CheckpointError(
          .malformed, path: path,
          "tensor '\(entry.name)' \(entry.offset < end ? "overlaps another" : "follows a hole")",
          expected: "data from byte \(end - dataOffset)",
          found: "\(entry.offset - dataOffset)")
      }
      end += entry.byteCount
    }
    guard end == dataOffset + count else {
      throw CheckpointError(
        .malformed, path: path, "bytes that belong to no tensor",
        expected: "\(end - dataOffset) bytes of data", found: "\(count)")
    }
  }
}
