import Foundation
import PlumbTestSupport

@testable import PlumbTokenizers

/// Fixtures as JSON, and the tokenizers made of them.
enum Cases {
  /// Reference cases by Hugging Face tokenizers and transformers.
  struct File: Decodable {
    struct Case: Decodable {
      var text: String
      var ids: [Int]
      var unparsed: [Int]
      var with_ends: [Int]
      var decoded: String
      var skipped: String
    }
    struct Variant: Decodable {
      var base: String
      var cases: [Case]
    }
    struct Training: Decodable {
      var pattern: String
      var size: Int
      var texts: [String]
      var tokens: [String]
      var merges: [String]
    }
    struct Chat: Decodable {
      var base: String
      var template: ChatTemplate
      var jinja: String
      var messages: [Message]
      var text: String
      var ids: [Int]
    }
    var variants: [String: Variant]
    var training: [Training]
    var chats: [Chat]
  }

  static func file() throws -> File { try decode("tokenizers/cases.json") }

  static func decode<Value: Decodable>(_ path: String) throws -> Value {
    try JSONDecoder().decode(Value.self, from: Data(contentsOf: Fixtures.url(path)))
  }

  /// One of the two tokenizers among the golden cases.
  static func golden(_ name: String) throws -> Tokenizer {
    try Tokenizer(contentsOf: Fixtures.url("golden/tokenizers/\(name)"))
  }

  /// The golden tokenizer that a variant of `cases.json` starts from, with its parts replaced.
  static func variant(_ name: String) throws -> Tokenizer {
    let file = try JSONReader.read(Fixtures.url("tokenizers/cases.json"))
    let variant = try file.member("variants").member(name)
    let base = try variant.member("base").string()
    var members = try JSONReader.read(Fixtures.url("golden/tokenizers/\(base)")).members()
    for part in try variant.member("replace").members() { members.replace(part) }
    var model = try members.value(of: "model").members()
    for part in try variant.member("model").members() { model.replace(part) }
    let kept = try variant.member("keep_merges")
    if case .array(let merges) = model.value(of: "merges").value, !kept.isNull {
      model.replace(.init(key: "merges", value: .array(Array(merges.prefix(try kept.integer())))))
    }
    members.replace(.init(key: "model", value: .object(model)))
    return try tokenizer(.object(members), path: name)
  }

  static func tokenizer(_ json: JSONValue, path: String = "test") throws -> Tokenizer {
    try Tokenizer(TokenizerFile.definition(JSONNode(path: path, value: json)), path: path)
  }

  /// SmolLM2's tokenizer, unpacked with gzip.
  static func smolLM2() throws -> Tokenizer {
    let packed = Fixtures.url("tokenizers/smollm2/tokenizer.json.gz")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "-dc", packed.path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    let json = try JSONReader.parse([UInt8](data), path: packed.path)
    return try tokenizer(json, path: packed.path)
  }
}

extension [JSONValue.Member] {
  /// Puts `member` in the place of the one with its key, or at the end.
  mutating func replace(_ member: JSONValue.Member) {
    if let index = firstIndex(where: { $0.key == member.key }) {
      self[index] = member
    } else {
      append(member)
    }
  }

  func value(of key: String) -> JSONNode {
    JSONNode(path: "test", key: key, value: first { $0.key == key }?.value ?? .null)
  }
}

/// Equality of scalars: `==` on strings would take canonically equivalent texts for one.
func same(_ first: String, _ second: String) -> Bool { first.utf8.elementsEqual(second.utf8) }

/// The error that `body` throws, in its own words.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return "no error"
  } catch {
    return "\(error)"
  }
}

/// A small generator with a fixed seed (splitmix64), so that property tests repeat.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    return mixed ^ mixed >> 31
  }
}
