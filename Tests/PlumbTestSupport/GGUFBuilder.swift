public import Foundation

/// A GGUF file put together byte by byte, for tests of what a file may get wrong.
public struct GGUFBuilder: Sendable {
  /// A value of the metadata.
  public struct Value: Sendable {
    /// The code of the type.
    public var type: UInt32
    /// What follows the code in the file.
    public var bytes: [UInt8]

    /// A value from its parts, which need not make sense.
    public init(type: UInt32, bytes: [UInt8]) { (self.type, self.bytes) = (type, bytes) }

    /// An integer.
    public static func uint32(_ value: UInt32) -> Value { .init(type: 4, bytes: little(value)) }
    /// A number.
    public static func float32(_ value: Float) -> Value {
      .init(type: 6, bytes: little(value.bitPattern))
    }
    /// A truth value.
    public static func bool(_ value: Bool) -> Value { .init(type: 7, bytes: [value ? 1 : 0]) }
    /// A text.
    public static func text(_ value: String) -> Value { .init(type: 8, bytes: counted(value)) }
    /// An array of texts.
    public static func texts(_ values: [String]) -> Value {
      let count = little(UInt64(values.count))
      return .init(type: 9, bytes: little(UInt32(8)) + count + values.flatMap(counted))
    }
    /// An array of integers.
    public static func int32s(_ values: [Int32]) -> Value {
      let count = little(UInt64(values.count))
      return .init(type: 9, bytes: little(UInt32(5)) + count + values.flatMap { little($0) })
    }
  }

  /// A tensor.
  public struct Tensor: Sendable {
    /// The name.
    public var name: String
    /// The extents in ggml's order, the fastest first.
    public var extents: [UInt64]
    /// The code of the type.
    public var type: UInt32
    /// The blocks.
    public var data: [UInt8]
    /// Where the file says the data are; behind the tensor before if nil.
    public var offset: UInt64?

    /// A tensor from its parts, which need not fit each other.
    public init(
      _ name: String, _ extents: [UInt64], type: UInt32 = 0, data: [UInt8], offset: UInt64? = nil
    ) {
      (self.name, self.extents, self.type) = (name, extents, type)
      (self.data, self.offset) = (data, offset)
    }

    /// A tensor of single precision.
    public init(_ name: String, _ extents: [UInt64], floats: [Float]) {
      self.init(name, extents, data: floats.flatMap { little($0.bitPattern) })
    }
  }

  /// The first bytes of the file.
  public var magic: [UInt8] = Array("GGUF".utf8)
  /// The version.
  public var version: UInt32 = 3
  /// How many tensors the file says it has; as many as there are if nil.
  public var tensorCount: UInt64?
  /// How many metadata entries the file says it has; as many as there are if nil.
  public var valueCount: UInt64?
  /// How the data are aligned; the metadata say so only if a test adds it.
  public var alignment = 32
  /// Keys and values in order.
  public var metadata: [(key: String, value: Value)] = []
  /// The tensors in order.
  public var tensors: [Tensor] = []

  /// A file without content.
  public init() {}

  /// Replaces the value of a key, adds it, or (nil) removes it.
  public subscript(key: String) -> Value? {
    get { metadata.first { $0.key == key }?.value }
    set {
      let place = metadata.firstIndex { $0.key == key }
      switch (place, newValue) {
      case (let place?, let value?): metadata[place].value = value
      case (let place?, nil): metadata.remove(at: place)
      case (nil, let value?): metadata.append((key, value))
      case (nil, nil): break
      }
    }
  }

  /// The file.
  public var data: Data {
    var bytes = magic + little(version)
    bytes += little(tensorCount ?? UInt64(tensors.count))
    bytes += little(valueCount ?? UInt64(metadata.count))
    for (key, value) in metadata { bytes += counted(key) + little(value.type) + value.bytes }
    var body: [UInt8] = []
    for tensor in tensors {
      pad(&body)
      bytes += counted(tensor.name) + little(UInt32(tensor.extents.count))
      bytes += tensor.extents.flatMap { little($0) } + little(tensor.type)
      bytes += little(tensor.offset ?? UInt64(body.count))
      body += tensor.data
    }
    pad(&bytes)
    return Data(bytes + body)
  }

  private func pad(_ bytes: inout [UInt8]) {
    while bytes.count % alignment != 0 { bytes.append(0) }
  }
}

/// The bytes of an integer, the lowest first.
public func little(_ value: some FixedWidthInteger) -> [UInt8] {
  withUnsafeBytes(of: value.littleEndian) { Array($0) }
}

/// A text behind its length.
public func counted(_ text: String) -> [UInt8] { little(UInt64(text.utf8.count)) + text.utf8 }
