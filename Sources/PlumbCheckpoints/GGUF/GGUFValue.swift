/// The types of metadata in a GGUF file; the raw value is the code in the file.
enum GGUFValueType: UInt32 {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64
  case float64

  /// The fewest bytes that a value takes; for texts, those of the length.
  var byteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .string, .uint64, .int64, .float64: 8
    case .array: 12
    }
  }

  /// The type in words for messages.
  var words: String {
    switch self {
    case .uint8, .int8, .uint16, .int16, .uint32, .int32, .uint64, .int64: "an integer"
    case .float32, .float64: "a number"
    case .bool: "a truth value"
    case .string: "a text"
    case .array: "an array"
    }
  }

  /// True for the eight integer types.
  var isInteger: Bool { words == "an integer" }
}

/// One entry of the metadata: what it is and where it stands; it is decoded when asked for.
struct GGUFValue {
  let type: GGUFValueType
  /// The type of the elements of an array.
  let elementType: GGUFValueType?
  /// Elements of an array; 1 otherwise.
  let count: Int
  /// Where the value, or the first element, begins in the file.
  let offset: Int

  /// Reads one entry behind its key, and leaves the cursor behind it.
  init(_ cursor: inout GGUFCursor, key: String) throws {
    type = try Self.type(&cursor, "the type of '\(key)'")
    guard type == .array else {
      (elementType, count, offset) = (nil, 1, cursor.offset)
      try Self.skip(type, count: 1, &cursor, key: key)
      return
    }
    let element = try Self.type(&cursor, "the type of the elements of '\(key)'")
    guard element != .array else {
      throw CheckpointError(
        .unsupported, path: cursor.file.path, "metadata '\(key)': arrays of arrays are not read")
    }
    elementType = element
    count = try cursor.count(ofItemsOf: element.byteCount, "the number of elements of '\(key)'")
    offset = cursor.offset
    try Self.skip(element, count: count, &cursor, key: key)
  }

  /// The type in words for messages.
  var words: String {
    elementType.map { "an array of \(count), \($0.words) each" } ?? type.words
  }

  private static func type(
    _ cursor: inout GGUFCursor, _ what: String
  ) throws -> GGUFValueType {
    let code = try cursor.next(UInt32.self, what)
    guard let type = GGUFValueType(rawValue: code) else {
      throw CheckpointError(
        .malformed, path: cursor.file.path, "\(what) is unknown", expected: "a code from 0 to 12",
        found: "\(code)")
    }
    return type
  }

  private static func skip(
    _ type: GGUFValueType, count: Int, _ cursor: inout GGUFCursor, key: String
  ) throws {
    guard type == .string else {
      return try cursor.skip(count * type.byteCount, "the value of '\(key)'")
    }
    for _ in 0..<count {
      let length = try cursor.count(ofItemsOf: 1, "the length of a text in '\(key)'")
      try cursor.skip(length, "a text in '\(key)'")
    }
  }
}
