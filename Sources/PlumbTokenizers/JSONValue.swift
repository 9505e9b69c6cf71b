/// A parsed JSON text that keeps the order of keys and the exact scalars of strings.
///
/// Foundation's `JSONSerialization` puts keys into a `[String: Any]`, and Swift strings are equal
/// when they are canonically equivalent: two different tokens could become one. Here an object is a
/// list, and nothing is compared as a `String`.
enum JSONValue: Sendable {
  case null
  case bool(Bool)
  case integer(Int)
  case double(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// One `"key": value` of an object.
  struct Member: Sendable {
    var key: String
    var value: JSONValue
  }

  /// The value in words, short enough for an error message.
  var summary: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .integer(let value): "\(value)"
    case .double(let value): "\(value)"
    case .string(let value):
      "\"\(value.count > 200 ? String(value.prefix(200)) + "…" : value)\""
    case .array(let values): "an array of \(values.count)"
    case .object(let members): "an object of \(members.count) keys"
    }
  }
}

/// A JSON value with the place it stands at, so that every complaint can name it.
struct JSONNode {
  let path: String
  let key: String
  let value: JSONValue

  init(path: String, key: String = "", value: JSONValue) {
    self.path = path
    self.key = key
    self.value = value
  }

  /// The member `name`, or `null` where the object has none.
  func member(_ name: String) throws(TokenizerError) -> JSONNode {
    let found = try members().last { $0.key.utf8.elementsEqual(name.utf8) }
    return JSONNode(
      path: path, key: key.isEmpty ? name : "\(key).\(name)", value: found?.value ?? .null)
  }

  func members() throws(TokenizerError) -> [JSONValue.Member] {
    guard case .object(let members) = value else { throw wrong(expected: "an object") }
    return members
  }

  func elements() throws(TokenizerError) -> [JSONNode] {
    guard case .array(let values) = value else { throw wrong(expected: "an array") }
    return values.enumerated().map {
      JSONNode(path: path, key: "\(key)[\($0.offset)]", value: $0.element)
    }
  }

  func string() throws(TokenizerError) -> String {
    guard case .string(let text) = value else { throw wrong(expected: "a string") }
    return text
  }

  func integer() throws(TokenizerError) -> Int {
    guard case .integer(let number) = value else { throw wrong(expected: "an integer") }
    return number
  }

  /// A truth value; `fallback` where the field is absent or null.
  func bool(or fallback: Bool) throws(TokenizerError) -> Bool {
    switch value {
    case .bool(let truth): return truth
    case .null: return fallback
    default: throw wrong(expected: "true or false")
    }
  }

  var isNull: Bool { if case .null = value { true } else { false } }

  func wrong(expected: String) -> TokenizerError {
    .field(
      path: path, key: key.isEmpty ? "the top level" : key, expected: expected,
      found: isNull ? "nothing" : value.summary)
  }

  func unsupported(supported: String) -> TokenizerError {
    .unsupported(path: path, key: key, found: value.summary, supported: supported)
  }
}
