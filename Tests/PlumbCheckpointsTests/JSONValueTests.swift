import PlumbCheckpoints
import Testing

@Suite struct JSONValueTests {
  static func parse(_ text: String) throws(JSONError) -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
  }

  @Test func readsValues() throws {
    let value = try Self.parse(
      #" {"a": [1, -2.5e3, true, false, null], "b": {"c": "\u00e4\n\ud83d\ude00"}, "d": 1e400} "#)
    #expect(value["a"] == .array([.integer(1), .number(-2500), .bool(true), .bool(false), .null]))
    #expect(value["b"]?["c"]?.string == "ä\n😀")
    #expect(value["d"]?.number == .infinity)
    #expect(try Self.parse("9223372036854775807").integer == .max)
    #expect(try Self.parse("9223372036854775808").number == 9_223_372_036_854_775_808)
    #expect(try Self.parse(#""\ud83d""#).string == "\u{fffd}", "a lone surrogate, as Python writes")
    #expect(try Self.parse(#""\ud83dA""#).string == "\u{fffd}A")
    #expect(try Self.parse(#""\ud83d\u0041""#).string == "\u{fffd}A")
  }

  @Test(arguments: [
    "", " ", "{", "}", "[1,]", "{\"a\":1,}", "{\"a\"}", "{a:1}", "'a'", "nul", "truex", "01", "-",
    "1.", ".5", "1e", "+1", "NaN", "Infinity", "\"", "\"\\", "\"\\x\"", "\"\\u12g4\"", "\"\\u12",
    "\"a\nb\"", "[1 2]", "1 2", "[", "{\"a\":", "\u{0}",
  ])
  func refuses(text: String) {
    #expect(throws: JSONError.self) { _ = try Self.parse(text) }
  }

  @Test func refusesInvalidUTF8() {
    for bytes: [UInt8] in [
      [0x22, 0xff, 0x22], [0x22, 0x5c, 0x6e, 0xc3, 0x22], [0x22, 0xed, 0xa0, 0x80, 0x22],
    ] {
      #expect(throws: JSONError.self) { _ = try JSONValue(parsing: bytes) }
    }
  }

  @Test func boundsNesting() throws {
    let fine = String(repeating: "[", count: 256) + String(repeating: "]", count: 256)
    _ = try Self.parse(fine)
    #expect(throws: JSONError.self) { _ = try Self.parse("[\(fine)]") }
    #expect(throws: JSONError.self) {
      _ = try Self.parse(String(repeating: "{\"a\":", count: 1 << 20))
    }
  }

  @Test func faultsSayWhere() {
    let error = #expect(throws: JSONError.self) { _ = try Self.parse("{\"a\": tru}") }
    #expect(error?.offset == 6)
    #expect(error?.found == "'tru}'")
  }

  @Test func serializedFormParsesBack() throws {
    let value = JSONValue.object([
      JSONField(key: "quote\"\\\u{1}\u{7f}", value: .string("a\tb\r\n\u{2028}😀")),
      JSONField(key: "numbers", value: .array([.integer(.min), .number(0.1), .number(1e300)])),
      JSONField(key: "nothing", value: .object([])),
      JSONField(key: "list", value: .array([])),
    ])
    #expect(try Self.parse(value.serialized()) == value)
    #expect(JSONValue.number(.nan).serialized() == "null")
  }
}
