import Foundation
import PlumbCheckpoints
import PlumbTensors
import PlumbTestSupport
import Testing

/// Files that are damaged, or made to do damage: each is refused with a reason, none is fatal.
@Suite struct GGUFHostileTests {
  /// A change to a good file, and what the message about it says.
  struct Damage: Sendable, CustomTestStringConvertible {
    let id: String
    let kind: CheckpointError.Kind
    let words: [String]
    let apply: @Sendable (inout GGUFBuilder) -> Void
    var testDescription: String { id }

    init(
      _ id: String, _ kind: CheckpointError.Kind, _ words: [String],
      _ apply: @escaping @Sendable (inout GGUFBuilder) -> Void
    ) {
      (self.id, self.kind, self.words, self.apply) = (id, kind, words, apply)
    }
  }

  static let damages: [Damage] = [
    Damage("no GGUF", .malformed, ["\"ggjt\""]) { $0.magic = Array("ggjt".utf8) },
    Damage("version 1", .unsupported, ["version 2 or 3", "version 1"]) { $0.version = 1 },
    Damage("version 4", .unsupported, ["version 4"]) { $0.version = 4 },
    Damage("big-endian", .unsupported, ["big-endian"]) { $0.version = 3 << 24 },
    Damage("2^64 - 1 tensors", .truncated, ["number of tensors"]) { $0.tensorCount = .max },
    Damage("2^64 - 1 entries", .truncated, ["number of metadata"]) { $0.valueCount = .max },
    Damage("more entries than there are", .truncated, ["metadata key", "does not fit"]) {
      $0.valueCount = 5
    },
    Damage("unknown type of a value", .malformed, ["'x'", "from 0 to 12", "13"]) {
      $0["x"] = .init(type: 13, bytes: [0])
    },
    Damage("an array of arrays", .unsupported, ["'x'", "arrays of arrays"]) {
      $0["x"] = .init(type: 9, bytes: little(UInt32(9)) + little(UInt64(1)))
    },
    Damage("an array of 2^62", .truncated, ["elements of 'x'"]) {
      $0["x"] = .init(type: 9, bytes: little(UInt32(12)) + little(UInt64(1) << 62))
    },
    Damage("a text of 2^63", .truncated, ["text in 'x'"]) {
      $0["x"] = .init(type: 8, bytes: little(UInt64(1) << 63))
    },
    Damage("a key twice", .malformed, ["'general.name' is there twice"]) {
      $0.metadata.append(("general.name", .text("b")))
    },
    Damage("an alignment of 0", .malformed, ["alignment", "power of two"]) {
      $0["general.alignment"] = .uint32(0)
    },
    Damage("an alignment of 24", .malformed, ["power of two", "24"]) {
      $0["general.alignment"] = .uint32(24)
    },
    Damage("an alignment of 2^31", .truncated, ["ends behind the file"]) {
      $0["general.alignment"] = .uint32(1 << 31)
      $0.tensors.removeLast()
    },
    Damage("an alignment in words", .malformed, ["alignment", "a text"]) {
      $0["general.alignment"] = .text("32")
    },
    Damage("no axes", .malformed, ["'a'", "1 to 4"]) { $0.tensors[0].extents = [] },
    Damage("five axes", .malformed, ["'a'", "1 to 4", "5"]) {
      $0.tensors[0].extents = [1, 1, 1, 1, 1]
    },
    Damage("an extent of 0", .malformed, ["'a'", "wrong extent"]) {
      $0.tensors[0].extents = [0, 4]
    },
    Damage("an extent of 2^63", .malformed, ["'a'", "wrong extent"]) {
      $0.tensors[0].extents = [1 << 63]
    },
    Damage("extents beyond 2^64", .malformed, ["'a'", "wrong extent"]) {
      $0.tensors[0].extents = [1 << 32, 1 << 32, 1 << 32]
    },
    Damage("a type by name", .unsupported, ["'a'", "Q4_K", "found IQ2_XXS"]) {
      $0.tensors[0].type = 16
    },
    Damage("an unknown type", .unsupported, ["'a'", "found type 4711"]) {
      $0.tensors[0].type = 4711
    },
    Damage("half a block", .malformed, ["'a'", "multiple of 32 for Q8_0", "4"]) {
      $0.tensors[0].type = 8
    },
    Damage("an offset outside", .truncated, ["'b'", "ends behind the file"]) {
      $0.tensors[1].offset = 1 << 20
    },
    Damage("an offset of 2^64 - 32", .truncated, ["'b'", "ends behind the file"]) {
      $0.tensors[1].offset = UInt64.max - 31
    },
    Damage("an odd offset", .malformed, ["'b'", "multiple of the alignment 32", "33"]) {
      $0.tensors[1].offset = 33
    },
    Damage("an overlap", .malformed, ["'a'", "'b'", "overlap"]) { $0.tensors[1].offset = 0 },
    Damage("a tensor twice", .malformed, ["'a' is there twice"]) { $0.tensors[1].name = "a" },
    Damage("data cut short", .truncated, ["'b'", "ends behind the file"]) {
      $0.tensors[1].data.removeLast()
    },
  ]

  static var good: GGUFBuilder {
    var builder = GGUFBuilder()
    builder["general.name"] = .text("a")
    builder["tokens"] = .texts(["a", "", "ccc"])
    builder["numbers"] = .int32s([1, -2, 3])
    builder.tensors = [
      .init("a", [4, 3], floats: (0..<12).map(Float.init)), .init("b", [2], floats: [1, 2]),
    ]
    return builder
  }

  @Test(arguments: damages) func isRefused(_ damage: Damage) throws {
    var builder = Self.good
    damage.apply(&builder)
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      try builder.data.write(to: url)
      let error = checkpointError { try Self.readAll(url) }
      #expect(error?.kind == damage.kind, "\(error?.description ?? "")")
      for word in damage.words {
        #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
      }
      #expect(error?.path == url.path)
    }
  }

  @Test func theGoodFileIsRead() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      try Self.good.data.write(to: url)
      try Self.readAll(url)
    }
  }

  @Test func textsThatAreNotUTF8AreRefused() throws {
    for key in ["x", "tokens"] {
      var builder = Self.good
      let bytes = little(UInt64(2)) + [0xFF, 0xFE]
      builder[key] =
        key == "x"
        ? .init(type: 8, bytes: bytes)
        : .init(type: 9, bytes: little(UInt32(8)) + little(UInt64(1)) + bytes)
      try withTemporaryDirectory { folder in
        let url = folder.appending(path: "t.gguf")
        try builder.data.write(to: url)
        let error = checkpointError { try Self.readAll(url) }
        #expect(error?.description.contains("expected UTF-8") == true)
      }
    }
  }

  /// Cut at every byte: never read as whole, never fatal.
  @Test func everyTruncationIsRefused() throws {
    let data = Self.good.data
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      for count in 0..<data.count {
        try data.prefix(count).write(to: url)
        let error = checkpointError { try Self.readAll(url) }
        #expect(error?.kind == .truncated, "\(count): \(error?.description ?? "")")
      }
    }
  }

  /// Bytes of the head replaced at random: read or refused, and never more memory than the file.
  @Test func randomDamageIsNeverFatal() throws {
    let small = Self.good.data
    let real = try Data(contentsOf: Fixtures.url("gguf/llama/model.gguf"))
    var stream = RandomStream(seed: 11, purpose: "gguf fuzz")
    var refused = 0
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.gguf")
      for round in 0..<3000 {
        var data = round % 4 == 0 ? real : small
        let head = round % 4 == 0 ? 8000 : data.count
        for _ in 0...stream.uniform(below: 4) {
          let place = stream.uniform(below: head)
          let values: [UInt8] = [0, 1, 0x7F, 0x80, 0xFF, UInt8(stream.uniform(below: 256))]
          let value = values[stream.uniform(below: values.count)]
          let length = [1, 1, 1, 4, 8][stream.uniform(below: 5)]
          for offset in place..<min(place + length, data.count) { data[offset] = value }
        }
        try data.write(to: url)
        do { try Self.readAll(url) } catch is CheckpointError { refused += 1 }
      }
    }
    #expect(refused > 500 && refused < 3000)
  }

  /// Reads everything that a file holds.
  static func readAll(_ url: URL) throws {
    let file = try GGUFFile(contentsOf: url)
    for key in file.keys {
      let kind = try #require(file.kind(of: key))
      switch kind {
      case "a text": _ = try file.text(key)
      case "an integer": _ = try file.integer(key)
      case "a number": _ = try file.number(key)
      case "a truth value": _ = try file.bool(key)
      default:
        if kind.contains("a text") { _ = try file.texts(key, limit: 1 << 20) }
        if kind.contains("an integer") { _ = try file.integers(key, limit: 1 << 20) }
      }
    }
    for tensor in file.tensors { _ = try file.floats(of: tensor) }
  }
}
