extension GGUFFile {
  /// The keys of the metadata, sorted.
  public var keys: [String] { values.keys.sorted() }

  /// What kind of value stands under `key`, in words for messages; nil if there is none.
  public func kind(of key: String) -> String? { values[key]?.words }

  /// The text under `key`, nil if there is none.
  ///
  /// Throws ``CheckpointError`` for another type, bytes that are not UTF-8, or more than `limit`.
  public func text(_ key: String, limit: Int = 1 << 20) throws -> String? {
    guard let value = values[key] else { return nil }
    guard value.type == .string else { throw wrongType(key, value, "a text") }
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    return try cursor.text(limit: limit, "metadata '\(key)'")
  }

  /// The integer under `key`, nil if there is none; throws ``CheckpointError`` for another type.
  public func integer(_ key: String) throws -> Int? {
    guard let value = values[key] else { return nil }
    guard value.type.isInteger else { throw wrongType(key, value, "an integer") }
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    return try integer(value.type, &cursor, key)
  }

  /// The number under `key`, whole or not, nil if there is none.
  ///
  /// Single precision is given as the shortest decimal that stands for it: 1e-5 and not
  /// 9.999999747378752e-06. Throws ``CheckpointError`` for another type.
  public func number(_ key: String) throws -> Double? {
    guard let value = values[key] else { return nil }
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    switch value.type {
    case .float32:
      let single = Float(bitPattern: try cursor.next(UInt32.self, "metadata '\(key)'"))
      return Double(single.description) ?? Double(single)
    case .float64:
      return Double(bitPattern: try cursor.next(UInt64.self, "metadata '\(key)'"))
    default:
      guard value.type.isInteger else { throw wrongType(key, value, "a number") }
      return Double(try integer(value.type, &cursor, key))
    }
  }

  /// The truth value under `key`, nil if there is none; throws ``CheckpointError`` for another type.
  public func bool(_ key: String) throws -> Bool? {
    guard let value = values[key] else { return nil }
    guard value.type == .bool else { throw wrongType(key, value, "a truth value") }
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    let byte = try cursor.next(UInt8.self, "metadata '\(key)'")
    guard byte <= 1 else {
      throw CheckpointError(
        .malformed, path: file.path, "metadata '\(key)': wrong value", expected: "0 or 1",
        found: "\(byte)")
    }
    return byte == 1
  }

  /// The texts of the array under `key`, nil if there is none.
  ///
  /// Throws ``CheckpointError`` for another type, for texts that are not UTF-8, and for more than
  /// `limit` of them.
  public func texts(_ key: String, limit: Int) throws -> [String]? {
    guard let value = values[key] else { return nil }
    guard value.elementType == .string else { throw wrongType(key, value, "an array of texts") }
    try require(value, key, limit: limit)
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    return try (0..<value.count).map {
      try cursor.text(limit: GGUFHeader.longestName, "text \($0) of metadata '\(key)'")
    }
  }

  /// The integers of the array under `key`, nil if there is none.
  ///
  /// Throws ``CheckpointError`` for another type and for more than `limit` of them.
  public func integers(_ key: String, limit: Int) throws -> [Int]? {
    guard let value = values[key] else { return nil }
    guard let type = value.elementType, type.isInteger else {
      throw wrongType(key, value, "an array of integers")
    }
    try require(value, key, limit: limit)
    var cursor = GGUFCursor(file, size: size, at: value.offset)
    return try (0..<value.count).map { _ in try integer(type, &cursor, key) }
  }

  private func require(_ value: GGUFValue, _ key: String, limit: Int) throws {
    guard value.count <= limit else {
      throw CheckpointError(
        .unsupported, path: file.path, "metadata '\(key)' has too many elements",
        expected: "at most \(limit)", found: "\(value.count)")
    }
  }

  private func integer(
    _ type: GGUFValueType, _ cursor: inout GGUFCursor, _ key: String
  ) throws -> Int {
    let what = "metadata '\(key)'"
    switch type {
    case .uint8: return Int(try cursor.next(UInt8.self, what))
    case .int8: return Int(try cursor.next(Int8.self, what))
    case .uint16: return Int(try cursor.next(UInt16.self, what))
    case .int16: return Int(try cursor.next(Int16.self, what))
    case .uint32: return Int(try cursor.next(UInt32.self, what))
    case .int32: return Int(try cursor.next(Int32.self, what))
    case .int64: return Int(try cursor.next(Int64.self, what))
    case .uint64:
      let value = try cursor.next(UInt64.self, what)
      guard let result = Int(exactly: value) else {
        throw CheckpointError(
          .unsupported, path: file.path, "\(what) is too large",
          expected: "at most \(Int.max)", found: "\(value)")
      }
      return result
    case .float32, .float64, .bool, .string, .array:
      preconditionFailure("integer: expected an integer type, found \(type)")
    }
  }

  private func wrongType(
    _ key: String, _ value: GGUFValue, _ expected: String
  ) -> CheckpointError {
    CheckpointError(
      .mismatch, path: file.path, "metadata '\(key)': wrong type", expected: expected,
      found: value.words)
  }
}
