extension JSONValue {
  /// The value as JSON text in UTF-8, indented by two spaces, keys in their order, with a last
  /// newline.
  func serialized() -> [UInt8] {
    var output: [UInt8] = []
    write(to: &output, indent: 0)
    output.append(UInt8(ascii: "\n"))
    return output
  }

  private func write(to output: inout [UInt8], indent: Int) {
    switch self {
    case .null: output.append(contentsOf: "null".utf8)
    case .bool(let value): output.append(contentsOf: (value ? "true" : "false").utf8)
    case .integer(let value): output.append(contentsOf: String(value).utf8)
    case .double(let value): output.append(contentsOf: "\(value)".utf8)
    case .string(let value): Self.write(value, to: &output)
    case .array(let values):
      Self.writeList("[", "]", count: values.count, to: &output, indent: indent) {
        values[$0].write(to: &$1, indent: indent + 1)
      }
    case .object(let members):
      Self.writeList("{", "}", count: members.count, to: &output, indent: indent) {
        Self.write(members[$0].key, to: &$1)
        $1.append(contentsOf: ": ".utf8)
        members[$0].value.write(to: &$1, indent: indent + 1)
      }
    }
  }

  private static func writeList(
    _ opening: Unicode.Scalar, _ closing: Unicode.Scalar, count: Int, to output: inout [UInt8],
    indent: Int, element: (Int, inout [UInt8]) -> Void
  ) {
    output.append(UInt8(ascii: opening))
    for index in 0..<count {
      if index > 0 { output.append(UInt8(ascii: ",")) }
      newline(to: &output, indent: indent + 1)
      element(index, &output)
    }
    if count > 0 { newline(to: &output, indent: indent) }
    output.append(UInt8(ascii: closing))
  }

  private static func newline(to output: inout [UInt8], indent: Int) {
    output.append(UInt8(ascii: "\n"))
    output.append(contentsOf: repeatElement(UInt8(ascii: " "), count: 2 * indent))
  }

  private static func write(_ text: String, to output: inout [UInt8]) {
    output.append(UInt8(ascii: "\""))
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "\""): output.append(contentsOf: "\\\"".utf8)
      case UInt8(ascii: "\\"): output.append(contentsOf: "\\\\".utf8)
      case UInt8(ascii: "\n"): output.append(contentsOf: "\\n".utf8)
      case 0..<0x20:
        let digits = String(byte, radix: 16)
        output.append(contentsOf: "\\u00\(digits.count < 2 ? "0" : "")\(digits)".utf8)
      default: output.append(byte)
      }
    }
    output.append(UInt8(ascii: "\""))
  }
}
