public import FoundationEssentials

/// A tensor on its way into a file.
public struct StoredTensor: Hashable, Sendable {
  /// The numbers, and for floating point the layout they get in the file.
  public enum Values: Hashable, Sendable {
    /// Floating point, written as `float32`, `float16` or `bfloat16`.
    case floats([Float], as: ElementType)
    /// Whole numbers, written as `int64`.
    case integers([Int])
  }

  /// The name in the file.
  public let name: String
  /// The extents; their product is the number of values.
  public let shape: [Int]
  /// The values, row-major.
  public let values: Values

  /// A tensor of floating point numbers.
  public init(
    _ name: String, shape: [Int], floats: [Float], as type: ElementType = .float32
  ) {
    precondition(
      type == .float32 || type == .float16 || type == .bfloat16,
      "StoredTensor: expected F32, F16 or BF16, found \(type.rawValue)")
    precondition(
      shape.reduce(1, *) == floats.count,
      "StoredTensor '\(name)': expected values for \(shape), found \(floats.count)")
    (self.name, self.shape, values) = (name, shape, .floats(floats, as: type))
  }

  /// A tensor of whole numbers.
  public init(_ name: String, shape: [Int], integers: [Int]) {
    precondition(
      shape.reduce(1, *) == integers.count,
      "StoredTensor '\(name)': expected values for \(shape), found \(integers.count)")
    (self.name, self.shape, values) = (name, shape, .integers(integers))
  }

  var type: ElementType {
    switch values {
    case .floats(_, let type): type
    case .integers: .int64
    }
  }

  var declaration: TensorDeclaration { TensorDeclaration(name, shape: shape, type: type) }

  var byteCount: Int { declaration.byteCount }
}

/// What a safetensors file says about a tensor before its values.
public struct TensorDeclaration: Hashable, Sendable {
  /// The name in the file.
  public let name: String
  /// The extents.
  public let shape: [Int]
  /// The layout of the numbers.
  public let type: ElementType

  /// A tensor of this name, shape and layout.
  public init(_ name: String, shape: [Int], type: ElementType) {
    (self.name, self.shape, self.type) = (name, shape, type)
  }

  /// Numbers in all.
  public var count: Int { shape.reduce(1, *) }

  var byteCount: Int { count * type.byteCount }
}

/// Writing of safetensors files.
public enum Safetensors {
  /// Writes floating point tensors in one element type; see ``write(_:metadata:to:)``.
  public static func write(
    _ tensors: [(name: String, shape: [Int], values: [Float])], as type: ElementType = .float32,
    metadata: [String: String] = [:], to url: URL
  ) throws {
    let stored = tensors.map { StoredTensor($0.name, shape: $0.shape, floats: $0.values, as: type) }
    try write(stored, metadata: metadata, to: url)
  }

  /// Writes `tensors` atomically; equal input gives equal bytes.
  ///
  /// Tensors are laid out in the order of their names and the header is padded to 8 bytes.
  /// `format: pt`, which transformers asks for, is added to the metadata unless given.
  /// Rounding to 16 bits is to nearest, ties to even. Throws ``CheckpointError``.
  public static func write(
    _ tensors: [StoredTensor], metadata: [String: String] = [:], to url: URL
  ) throws {
    let inOrder = tensors.sorted { $0.name < $1.name }
    let writer = try AtomicFileWriter(to: url)
    try appendHeader(of: inOrder.map(\.declaration), metadata: metadata, to: writer)
    for tensor in inOrder { try append(tensor.values, to: writer) }
    try writer.commit()
  }

  /// Writes floating point tensors whose values come in pieces, so that they are never held whole.
  ///
  /// The file is laid out as by ``write(_:metadata:to:)``. Throws ``CheckpointError``, and what
  /// `values` throws; the file then does not appear.
  /// - Parameters:
  ///   - tensors: of `float32`, `float16` or `bfloat16`.
  ///   - values: called once for each tensor, in the order of the names; hands the values over, row
  ///     by row in pieces of any size. Traps if they are not as many as declared.
  public static func write(
    streaming tensors: [TensorDeclaration], metadata: [String: String] = [:], to url: URL,
    values: (TensorDeclaration, _ append: ([Float]) throws -> Void) throws -> Void
  ) throws {
    let inOrder = tensors.sorted { $0.name < $1.name }
    let writer = try AtomicFileWriter(to: url)
    try appendHeader(of: inOrder, metadata: metadata, to: writer)
    for tensor in inOrder {
      var count = 0
      try values(tensor) { piece in
        count += piece.count
        try append(.floats(piece, as: tensor.type), to: writer)
      }
      precondition(
        count == tensor.count,
        "Safetensors.write '\(tensor.name)': expected \(tensor.count) values, found \(count)")
    }
    try writer.commit()
  }

  private static func appendHeader(
    of tensors: [TensorDeclaration], metadata: [String: String], to writer: AtomicFileWriter
  ) throws {
    let header = header(of: tensors, metadata: metadata)
    try withUnsafeBytes(of: UInt64(header.count).littleEndian) { try writer.append($0) }
    try writer.append(header)
  }

  private static func header(
    of tensors: [TensorDeclaration], metadata: [String: String]
  ) -> [UInt8] {
    let metadata = metadata.merging(["format": "pt"]) { given, _ in given }
    var fields = [
      JSONField(
        key: "__metadata__",
        value: .object(
          metadata.sorted { $0.key < $1.key }
            .map { JSONField(key: $0.key, value: .string($0.value)) }))
    ]
    var offset = 0
    for (index, tensor) in tensors.enumerated() {
      precondition(
        index == 0 || tensors[index - 1].name != tensor.name,
        "Safetensors.write: expected different names, found '\(tensor.name)' twice")
      let end = offset + tensor.byteCount
      fields.append(
        JSONField(
          key: tensor.name,
          value: .object([
            JSONField(key: "dtype", value: .string(tensor.type.rawValue)),
            JSONField(key: "shape", value: .array(tensor.shape.map { .integer($0) })),
            JSONField(key: "data_offsets", value: .array([.integer(offset), .integer(end)])),
          ])))
      offset = end
    }
    var bytes = Array(JSONValue.object(fields).serialized().utf8)
    while bytes.count % 8 != 0 { bytes.append(UInt8(ascii: " ")) }
    return bytes
  }

  private static func append(
    _ values: StoredTensor.Values, to writer: AtomicFileWriter
  ) throws {
    switch values {
    case .floats(let floats, .float16):
      try appendConverted(floats, to: writer) { HalfPrecision.float16($0) }
    case .floats(let floats, .bfloat16):
      try appendConverted(floats, to: writer) { HalfPrecision.bfloat16($0) }
    case .floats(let floats, _):
      try floats.withUnsafeBytes { try writer.append($0) }
    case .integers(let integers):
      try integers.withUnsafeBytes { try writer.append($0) }
    }
  }

  /// Converts in pieces, so that beside the values only a small buffer is held.
  private static func appendConverted(
    _ floats: [Float], to writer: AtomicFileWriter, _ convert: (Float) -> UInt16
  ) throws {
    let pieceCount = 1 << 18
    for start in stride(from: 0, to: floats.count, by: pieceCount) {
      let piece = floats[start..<min(start + pieceCount, floats.count)].map(convert)
      try piece.withUnsafeBytes { try writer.append($0) }
    }
  }
}
