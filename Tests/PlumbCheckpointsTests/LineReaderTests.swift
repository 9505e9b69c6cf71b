import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import Testing

@Suite struct LineReaderTests {
  static func lines(_ url: URL, limit: Int = 64 << 20) throws -> [String] {
    var reader = try LineReader(contentsOf: url, maximumLineByteCount: limit)
    var lines: [String] = []
    while let line = try reader.next() {
      lines.append(line.text)
      #expect(line.number == lines.count)
    }
    return lines
  }

  static func lines(of bytes: [UInt8], limit: Int = 64 << 20) throws -> [String] {
    try withTemporaryDirectory { folder in
      let url = folder.appending(path: "lines")
      try Data(bytes).write(to: url)
      return try lines(url, limit: limit)
    }
  }

  @Test(arguments: [
    ("", []),
    ("\n", [""]),
    ("a", ["a"]),
    ("a\n", ["a"]),
    ("a\nb", ["a", "b"]),
    ("a\r\nb\r\n", ["a", "b"]),
    ("a\n\n\nb\n", ["a", "", "", "b"]),
    ("\u{feff}a\n\u{feff}b", ["a", "\u{feff}b"]),
    ("a\rb\n", ["a\rb"]),
    ("\0\u{1}\n", ["\0\u{1}"]),
  ])
  func splits(text: String, expected: [String]) throws {
    #expect(try Self.lines(of: Array(text.utf8)) == expected)
    #expect(try Self.lines(of: Zstd.compress(Array(text.utf8))) == expected)
    #expect(try Self.lines(of: Gzip.compress(Array(text.utf8))) == expected)
  }

  /// Longer than every buffer, with lines across their borders.
  static let long = (0..<60_000).map { "line \($0) \(String(repeating: "x", count: $0 % 50))" }

  @Test func writerAndReaderAgree() throws {
    try withTemporaryDirectory { folder in
      for name in ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"] {
        let url = folder.appending(path: name)
        try LineWriter.write(Self.long, to: url)
        #expect(try Self.lines(url) == Self.long)
        let first = try Data(contentsOf: url)
        try LineWriter.write(Self.long, to: url)
        #expect(try Data(contentsOf: url) == first, "equal lines give equal bytes")
      }
      let sizes = try ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst"].map {
        try Data(contentsOf: folder.appending(path: $0)).count
      }
      #expect(sizes[1] < sizes[0] / 4 && sizes[2] < sizes[0] / 4)
      #expect(try names(in: folder).count == 3)
    }
  }

  @Test func unfinishedWriterLeavesNothing() throws {
    try withTemporaryDirectory { folder in
      do {
        let writer = try LineWriter(to: folder.appending(path: "a.jsonl.zst"))
        for line in Self.long { try writer.write(line) }
      }
      #expect(try names(in: folder).isEmpty)
    }
  }

  @Test func severalFramesAndMembers() throws {
    let parts = [Self.long[..<20_000], Self.long[20_000..<20_001], Self.long[20_001...]]
    let texts = parts.map { Array(($0.joined(separator: "\n") + "\n").utf8) }
    #expect(try Self.lines(of: texts.flatMap { try Zstd.compress($0) }) == Self.long)
    #expect(try Self.lines(of: texts.flatMap { try Gzip.compress($0) }) == Self.long)
    let padded = try texts.flatMap { try Gzip.compress($0) } + [UInt8](repeating: 0, count: 999)
    #expect(try Self.lines(of: padded) == Self.long)
    let skippable: [UInt8] = [0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]
    #expect(try Self.lines(of: skippable + Zstd.compress(texts[1])) == [Self.long[20_000]])
    let emptyMember = try Gzip.compress([]) + Gzip.compress(texts[1])
    #expect(try Self.lines(of: emptyMember) == [Self.long[20_000]])
  }

  /// Wherever a stream is cut, the reader says so; it never takes the rest for the whole.
  @Test func everyTruncationIsAnError() throws {
    let text = Array("one\ntwo\nthree\n".utf8)
    for whole in [try Zstd.compress(text), try Gzip.compress(text)] {
      for count in 4..<whole.count {
        let error = checkpointError { _ = try Self.lines(of: Array(whole.prefix(count))) }
        #expect(error?.kind == .truncated, "\(count) of \(whole.count)")
      }
    }
    let long = Array(Self.long.joined(separator: "\n").utf8)
    for whole in [try Zstd.compress(long), try Gzip.compress(long)] {
      let error = checkpointError { _ = try Self.lines(of: Array(whole.dropLast(1000))) }
      #expect(error?.kind == .truncated)
      #expect(error?.message.contains("at byte \(whole.count - 1000)") == true)
      #expect(error?.message.contains("(in line ") == true)
    }
  }

  @Test func corruptDataIsAnError() throws {
    let long = Array(Self.long.joined(separator: "\n").utf8)
    for whole in [try Zstd.compress(long), try Gzip.compress(long)] {
      var broken = whole
      for place in (whole.count / 2)..<(whole.count / 2 + 64) { broken[place] ^= 0x5a }
      let error = checkpointError { _ = try Self.lines(of: broken) }
      #expect(error?.kind == .malformed || error?.kind == .truncated)
      let trailing = checkpointError { _ = try Self.lines(of: whole + [1, 2, 3, 4, 5]) }
      #expect(trailing?.kind == .malformed)
    }
    let reserved = checkpointError {
      _ = try Self.lines(of: [0x1f, 0x8b, 8, 0xff, 0, 0, 0, 0, 0, 0, 1])
    }
    #expect(reserved?.kind == .malformed)
  }

  @Test func refusesLinesOverTheLimit() throws {
    let text = Array("short\n\(String(repeating: "y", count: 300))\n".utf8)
    let error = checkpointError { _ = try Self.lines(of: text, limit: 200) }
    #expect(error?.message == "line 2 is too long")
    #expect(try Self.lines(of: text, limit: 300).count == 2)
  }

  @Test func refusesWhatIsNoFile() throws {
    try withTemporaryDirectory { folder in
      let directory = checkpointError { _ = try Self.lines(folder) }
      #expect(directory?.found == "a directory")
      let missing = checkpointError { _ = try Self.lines(folder.appending(path: "none")) }
      #expect(missing?.kind == .missing)
    }
  }

  @Test func compressionInMemoryHasALimit() throws {
    let bomb = [UInt8](repeating: 0, count: 1 << 22)
    for packed in [try Zstd.compress(bomb), try Gzip.compress(bomb)] {
      let isZstd = packed[0] == 0x28
      let unpack = isZstd ? Zstd.decompress : Gzip.decompress
      #expect(try unpack(packed, 1 << 22) == bomb)
      let large = checkpointError { _ = try unpack(packed, 1 << 20) }
      #expect(large?.kind == .unsupported)
      let cut = checkpointError { _ = try unpack(packed.dropLast(1), 1 << 22) }
      #expect(cut?.kind == .truncated)
    }
    let foreign = checkpointError { _ = try Zstd.decompress([1, 2, 3, 4, 5]) }
    #expect(foreign?.kind == .malformed)
  }
}
