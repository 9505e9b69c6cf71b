public import FoundationEssentials

/// A safetensors file opened for reading: the header is checked at once, tensors are read on demand.
public struct SafetensorsFile: Sendable {
  /// The file.
  public let url: URL
  private let file: InputFile
  private let header: SafetensorsHeader

  /// Opens `url` and checks its header: lengths, JSON, types, shapes, offsets, overlaps, holes.
  ///
  /// Throws ``CheckpointError``. Memory is taken for the header only, and never more than the
  /// file's own size, whatever the header says.
  public init(contentsOf url: URL) throws {
    self.url = url
    file = try InputFile(url)
    header = try SafetensorsHeader(reading: file)
  }

  /// The names of the tensors, sorted.
  public var names: [String] { header.entries.keys.sorted() }

  /// The free text of the header, such as `format: pt`.
  public var metadata: [String: String] { header.metadata }

  /// True if a tensor has this name.
  public func contains(_ name: String) -> Bool { header.entries[name] != nil }

  /// The shape of a tensor, nil if there is none of this name.
  public func shape(of name: String) -> [Int]? { header.entries[name]?.shape }

  /// The element type of a tensor, nil if there is none of this name.
  public func type(of name: String) -> ElementType? { header.entries[name]?.type }

  /// The values of a tensor, row-major, as single precision; integers are converted.
  ///
  /// NaN and infinities come through as they are. Throws ``CheckpointError`` if there is no such
  /// tensor or, where `shape` is given, if it has another shape.
  public func floats(named name: String, shape: [Int]? = nil) throws -> [Float] {
    let entry = try entry(name, shape: shape)
    if entry.type == .float32 {
      var values = [Float](repeating: 0, count: entry.count)
      try values.withUnsafeMutableBytes { try read(entry, into: $0, at: 0) }
      return values
    }
    return try converted(entry) { Self.floats($0, as: entry.type) }
  }

  /// The values of an integer tensor, row-major; throws ``CheckpointError`` for floating point.
  public func integers(named name: String, shape: [Int]? = nil) throws -> [Int] {
    let entry = try entry(name, shape: shape)
    guard !entry.type.isFloatingPoint else {
      throw CheckpointError(
        .mismatch, path: file.path, "tensor '\(name)': wrong dtype", expected: "integers",
        found: entry.type.rawValue)
    }
    return try converted(entry) { Self.integers($0, as: entry.type) }
  }

  private func entry(_ name: String, shape: [Int]?) throws -> SafetensorsHeader.Entry {
    guard let entry = header.entries[name] else {
      throw CheckpointError(.missing, path: file.path, "there is no tensor '\(name)'")
    }
    guard shape == nil || shape == entry.shape else {
      throw CheckpointError(
        .mismatch, path: file.path, "tensor '\(name)': wrong shape",
        expected: "\(shape ?? [])", found: "\(entry.shape)")
    }
    return entry
  }

  private func read(
    _ entry: SafetensorsHeader.Entry, into buffer: UnsafeMutableRawBufferPointer, at offset: Int
  ) throws {
    let got = try file.read(into: buffer, at: entry.offset + offset)
    guard got == buffer.count else {
      throw CheckpointError(
        .truncated, path: file.path,
        "the file was cut short while tensor '\(entry.name)' was read")
    }
  }

  /// Reads in pieces, so that beside the result only a small buffer is held.
  private func converted<Value>(
    _ entry: SafetensorsHeader.Entry, _ convert: (UnsafeRawBufferPointer) -> [Value]
  ) throws -> [Value] {
    let pieceCount = 1 << 20
    var values: [Value] = []
    values.reserveCapacity(entry.count)
    var piece = [UInt8](repeating: 0, count: min(pieceCount, entry.byteCount))
    for start in stride(from: 0, to: entry.byteCount, by: pieceCount) {
      let count = min(pieceCount, entry.byteCount - start)
      let part = try piece.withUnsafeMutableBytes { bytes in
        let window = UnsafeMutableRawBufferPointer(rebasing: bytes[..<count])
        try read(entry, into: window, at: start)
        return convert(UnsafeRawBufferPointer(window))
      }
      values.append(contentsOf: part)
    }
    return values
  }

  private static func floats(_ bytes: UnsafeRawBufferPointer, as type: ElementType) -> [Float] {
    switch type {
    case .float32: elements(bytes) { (value: Float) in value }
    case .float64: elements(bytes) { (value: Double) in Float(value) }
    case .bfloat16: elements(bytes) { HalfPrecision.float(bfloat16: $0) }
    case .float16: elements(bytes) { HalfPrecision.float(float16: $0) }
    case .int64, .int32, .int16, .int8, .uint8, .bool: integers(bytes, as: type).map(Float.init)
    }
  }

  private static func integers(_ bytes: UnsafeRawBufferPointer, as type: ElementType) -> [Int] {
    switch type {
    case .int64: elements(bytes) { (value: Int64) in Int(value) }
    case .int32: elements(bytes) { (value: Int32) in Int(value) }
    case .int16: elements(bytes) { (value: Int16) in Int(value) }
    case .int8: elements(bytes) { (value: Int8) in Int(value) }
    case .uint8, .bool: elements(bytes) { (value: UInt8) in Int(value) }
    case .float64, .float32, .float16, .bfloat16: []
    }
  }

  private static func elements<Stored, Value>(
    _ bytes: UnsafeRawBufferPointer, _ convert: (Stored) -> Value
  ) -> [Value] {
    let stored = bytes.assumingMemoryBound(to: Stored.self)
    return [Value](unsafeUninitializedCapacity: stored.count) { buffer, count in
      for index in 0..<stored.count {
        buffer.initializeElement(at: index, to: convert(stored[index]))
      }
      count = stored.count
    }
  }
}
