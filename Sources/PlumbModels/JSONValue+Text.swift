import PlumbCheckpoints

extension JSONValue {
  /// The value as an error message names it, for example `the string "abc"`.
  var named: String {
    switch self {
    case .null: "null"
    case .bool(let value): "the boolean \(value)"
    case .integer(let value): "\(value)"
    case .number(let value): "\(value)"
    case .string(let value): "the string \"\(value)\""
    case .array(let values): "a list of \(values.count)"
    case .object(let fields): "an object with the keys \(fields.map(\.key).sorted())"
    }
  }

  /// An object with its keys in alphabetical order.
  init(sorting values: [String: JSONValue]) {
    self = .object(
      values.sorted { $0.key < $1.key }.map { JSONField(key: $0.key, value: $0.value) })
  }

  /// The value over several lines, as Hugging Face writes its configurations, with a final newline.
  ///
  /// Numbers that are not integers keep their point (`1000000.0`): Python programs tell the two
  /// apart.
  var indented: String { lines(indentation: "") + "\n" }

  private func lines(indentation: String) -> String {
    let inner = indentation + "  "
    switch self {
    case .array(let values) where !values.isEmpty:
      let lines = values.map { inner + $0.lines(indentation: inner) }
      return "[\n" + lines.joined(separator: ",\n") + "\n\(indentation)]"
    case .object(let fields) where !fields.isEmpty:
      let lines = fields.map { field in
        let key = JSONValue.string(field.key).serialized()
        return "\(inner)\(key): \(field.value.lines(indentation: inner))"
      }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
    default: return serialized()
    }
  }
}
