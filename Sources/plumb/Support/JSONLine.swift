import PlumbCheckpoints

extension JSONValue {
  /// An object with these keys, in this order.
  static func fields(_ pairs: KeyValuePairs<String, JSONValue>) -> JSONValue {
    .object(pairs.map { JSONField(key: $0.key, value: $0.value) })
  }

  /// Single-precision numbers in the fewest digits that read back as the same numbers.
  static func floats(_ values: [Float]) -> JSONValue { .array(values.map { .float($0) }) }

  /// A single-precision number in the fewest digits that read back as the same number.
  static func float(_ value: Float) -> JSONValue {
    .number(Double(value.description) ?? Double(value))
  }

  /// Token ids.
  static func ids(_ values: some Sequence<some BinaryInteger>) -> JSONValue {
    .array(values.map { .integer(Int($0)) })
  }
}
