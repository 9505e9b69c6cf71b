import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@Suite struct SafetensorsFileTests {
  @Test func readsGoldenCheckpoint() throws {
    let file = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/qwen2/model.safetensors"))
    #expect(file.metadata == ["format": "pt"])
    #expect(file.names.contains("model.embed_tokens.weight"))
    for name in file.names {
      let shape = try #require(file.shape(of: name))
      let values = try file.floats(named: name, shape: shape)
      #expect(values.count == shape.reduce(1, *))
      #expect(values.allSatisfy { $0.isFinite })
    }
  }

  @Test func readsGoldenIntegers() throws {
    let file = try SafetensorsFile(
      contentsOf: Fixtures.url("golden/qwen2/expected.safetensors"))
    #expect(file.type(of: "input_ids") == .int64)
    #expect(file.shape(of: "input_ids") == [3, 19])
    let ids = try file.integers(named: "input_ids")
    #expect(ids.count == 57 && ids.allSatisfy { $0 >= 0 })
    #expect(try file.floats(named: "input_ids") == ids.map(Float.init))
  }

  @Test func readsEveryGoldenFile() throws {
    let root = Fixtures.url("golden")
    let paths = try FileManager.default.subpathsOfDirectory(atPath: root.path)
      .filter { $0.hasSuffix(".safetensors") }
    #expect(paths.count >= 16)
    for path in paths {
      let file = try SafetensorsFile(contentsOf: root.appending(path: path))
      for name in file.names { _ = try file.floats(named: name) }
    }
  }

  /// Every element type against numbers written out by hand.
  @Test(arguments: [
    ("F64", [0, 0, 0, 0, 0, 0, 0xf8, 0x3f] as [UInt8], 1.5 as Float),
    ("F32", [0, 0, 0xc0, 0x3f], 1.5),
    ("F16", [0, 0x3e], 1.5),
    ("BF16", [0xc0, 0x3f], 1.5),
    ("I64", [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], -2),
    ("I32", [0xfe, 0xff, 0xff, 0xff], -2),
    ("I16", [0xfe, 0xff], -2),
    ("I8", [0xfe], -2),
    ("U8", [0xfe], 254),
    ("BOOL", [1], 1),
  ])
  func readsType(dtype: String, element: [UInt8], value: Float) throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      let data = element + element + element
      let header =
        #"{"x":{"dtype":"\#(dtype)","shape":[3],"data_offsets":[0,\#(data.count)]}}"#
      try safetensors(header, data: data).write(to: url)
      let file = try SafetensorsFile(contentsOf: url)
      #expect(try file.floats(named: "x") == [value, value, value])
      if file.type(of: "x")?.isFloatingPoint == true {
        let error = checkpointError { _ = try file.integers(named: "x") }
        #expect(error?.kind == .mismatch)
      } else {
        #expect(try file.integers(named: "x") == [Int(value), Int(value), Int(value)])
      }
    }
  }

  @Test func readsLargeTensorInPieces() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      let values = (0..<1_300_000).map { Float($0 % 256) - 128 }
      let tensors = [(name: "x", shape: [1300, 1000], values: values)]
      for type in [ElementType.float16, .bfloat16, .float32] {
        try Safetensors.write(tensors, as: type, to: url)
        #expect(try SafetensorsFile(contentsOf: url).floats(named: "x") == values)
      }
    }
  }

  @Test func keepsNotANumber() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      let values: [Float] = [.nan, .infinity, -.infinity, -0.0]
      for type in [ElementType.float32, .float16, .bfloat16] {
        try Safetensors.write([(name: "x", shape: [4], values: values)], as: type, to: url)
        let read = try SafetensorsFile(contentsOf: url).floats(named: "x")
        #expect(read[0].isNaN)
        #expect(read[1...].map(\.bitPattern) == values[1...].map(\.bitPattern))
      }
    }
  }

  @Test func namesWhatIsNotThere() throws {
    let file = try SafetensorsFile(contentsOf: Fixtures.url("golden/qwen2/model.safetensors"))
    let missing = checkpointError { _ = try file.floats(named: "no.such") }
    #expect(missing?.kind == .missing)
    #expect(missing?.description.contains("'no.such'") == true)
    let shape = checkpointError { _ = try file.floats(named: "model.norm.weight", shape: [3]) }
    #expect(shape?.kind == .mismatch)
    #expect(shape?.expected == "[3]")
  }
}

@Suite struct SafetensorsHostileTests {
  /// A header, its data, and what the message must say.
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: Data
    let kind: CheckpointError.Kind
    let says: String

    init(_ name: String, _ bytes: Data, _ kind: CheckpointError.Kind, _ says: String) {
      (testDescription, self.bytes, self.kind, self.says) = (name, bytes, kind, says)
    }
  }

  static func entry(
    _ shape: String, _ offsets: String, dtype: String = "\"F32\"", name: String = "x"
  ) -> String {
    #""\#(name)":{"dtype":\#(dtype),"shape":\#(shape),"data_offsets":\#(offsets)}"#
  }

  static let eight = [UInt8](repeating: 0, count: 8)

  static let cases: [Case] = [
    Case("empty", Data(), .truncated, "0 bytes"),
    Case("seven bytes", Data(count: 7), .truncated, "7 bytes"),
    Case("no header", safetensors(""), .malformed, "invalid JSON"),
    Case("huge length", safetensors("{}", length: 1 << 40), .malformed, "1099511627776"),
    Case("all bits set", safetensors("{}", length: .max), .malformed, "18446744073709551615"),
    Case("length past the end", safetensors("{}", length: 99), .truncated, "107"),
    Case("no JSON", safetensors("{\"x\":"), .malformed, "invalid JSON"),
    Case("a list", safetensors("[]"), .malformed, "a list"),
    Case("bytes without tensor", safetensors("{}", data: eight), .malformed, "no tensor"),
    Case("tensor is text", safetensors(#"{"x":"y"}"#), .malformed, "'x'"),
    Case(
      "unknown dtype", safetensors("{\(entry("[2]", "[0,8]", dtype: "\"F8_E4M3\""))}", data: eight),
      .unsupported, "F8_E4M3"),
    Case(
      "dtype is a number", safetensors("{\(entry("[2]", "[0,8]", dtype: "3"))}", data: eight),
      .malformed, "dtype"),
    Case(
      "negative extent", safetensors("{\(entry("[-2]", "[0,8]"))}", data: eight), .malformed,
      "[-2]"),
    Case(
      "fractional extent", safetensors("{\(entry("[2.5]", "[0,8]"))}", data: eight), .malformed,
      "shape"),
    Case(
      "negative offset", safetensors("{\(entry("[2]", "[-8,0]"))}", data: eight), .malformed,
      "data_offsets"),
    Case(
      "offsets reversed", safetensors("{\(entry("[2]", "[8,0]"))}", data: eight), .malformed,
      "data_offsets"),
    Case(
      "three offsets", safetensors("{\(entry("[2]", "[0,8,8]"))}", data: eight), .malformed,
      "data_offsets"),
    Case(
      "shape too small", safetensors("{\(entry("[1]", "[0,8]"))}", data: eight), .malformed,
      "4 bytes"),
    Case(
      "shape overflows",
      safetensors("{\(entry("[4611686018427387904,4]", "[0,8]"))}", data: eight), .malformed,
      "fits in memory"),
    Case("data cut", safetensors("{\(entry("[3]", "[0,12]"))}", data: eight), .truncated, "12"),
    Case(
      "overlap",
      safetensors(
        "{\(entry("[1]", "[0,4]")),\(entry("[2]", "[0,8]", name: "y"))}", data: eight),
      .malformed, "overlaps"),
    Case(
      "hole",
      safetensors(
        "{\(entry("[1]", "[0,4]")),\(entry("[0]", "[8,8]", name: "y"))}", data: eight),
      .malformed, "hole"),
    Case(
      "bytes at the end", safetensors("{\(entry("[1]", "[0,4]"))}", data: eight), .malformed,
      "no tensor"),
    Case(
      "twice",
      safetensors("{\(entry("[1]", "[0,4]")),\(entry("[1]", "[4,8]"))}", data: eight), .malformed,
      "twice"),
    Case(
      "metadata of numbers", safetensors(#"{"__metadata__":{"a":1}}"#), .malformed, "__metadata__"),
    Case(
      "nested too deep", safetensors(String(repeating: "[", count: 100_000)), .malformed, "nesting"),
  ]

  @Test(arguments: cases) func refuses(_ item: Case) throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "bad.safetensors")
      try item.bytes.write(to: url)
      let error = checkpointError { _ = try SafetensorsFile(contentsOf: url) }
      #expect(error?.kind == item.kind)
      #expect(error?.path == url.path)
      #expect(error?.description.contains(item.says) == true, "\(error?.description ?? "")")
    }
  }

  @Test func refusesWhatIsNoFile() throws {
    try withTemporaryDirectory { folder in
      let missing = checkpointError {
        _ = try SafetensorsFile(contentsOf: folder.appending(path: "none"))
      }
      #expect(missing?.kind == .missing)
      #expect(missing?.description.contains("No such file or directory") == true)
      let directory = checkpointError { _ = try SafetensorsFile(contentsOf: folder) }
      #expect(directory?.found == "a directory")
      let device = checkpointError {
        _ = try SafetensorsFile(contentsOf: URL(filePath: "/dev/zero"))
      }
      #expect(device?.kind == .unreadable)
    }
  }

  @Test func refusesEveryTruncation() throws {
    let whole = try Data(contentsOf: Fixtures.url("golden/gpo.safetensors"))
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "cut.safetensors")
      for count in Array(0..<40) + Array(stride(from: 40, to: whole.count, by: 211)) {
        try whole.prefix(count).write(to: url)
        #expect(throws: CheckpointError.self, "\(count) bytes") {
          _ = try SafetensorsFile(contentsOf: url)
        }
      }
    }
  }

  /// Whatever single byte of the header is broken: an error or a valid file, never a trap.
  @Test func survivesEveryFlippedByte() throws {
    let whole = try Data(contentsOf: Fixtures.url("golden/gpo.safetensors"))
    let headerCount = 8 + whole.prefix(8).enumerated().reduce(0) { $0 + Int($1.1) << (8 * $1.0) }
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "flipped.safetensors")
      for place in 0..<headerCount {
        var bytes = whole
        bytes[place] ^= UInt8(1 << (place % 8))
        try bytes.write(to: url)
        guard let file = try? SafetensorsFile(contentsOf: url) else { continue }
        for name in file.names { _ = try file.floats(named: name) }
      }
    }
  }

  @Test func noticesAFileCutWhileOpen() throws {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "t.safetensors")
      try Safetensors.write(
        [(name: "x", shape: [1000], values: .init(repeating: 1, count: 1000))], to: url)
      let file = try SafetensorsFile(contentsOf: url)
      let handle = try FileHandle(forWritingTo: url)
      try handle.truncate(atOffset: 200)
      try handle.close()
      let error = checkpointError { _ = try file.floats(named: "x") }
      #expect(error?.kind == .truncated)
    }
  }
}
