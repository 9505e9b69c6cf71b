import Foundation
import PlumbTestSupport
import Testing

@testable import PlumbCheckpoints

@Suite struct WindowMemoryTests {
  /// Five times the same 3 MB that do not compress: four of them are matches 3 MB back.
  static let content: [UInt8] = {
    var state: UInt64 = 1
    let words = (0..<375_000).map { _ in
      state ^= state << 13
      state ^= state >> 7
      state ^= state << 17
      return state
    }
    let once = words.withUnsafeBytes { Array($0) }
    return Array([once, once, once, once, once].joined())
  }()

  /// ``content`` in a frame that declares a window of 4 MB, and no length.
  static let narrow: [UInt8] = {
    var frame: [UInt8] = []
    let encoder = ZstdEncoder(level: 10)
    do {
      try content.withUnsafeBytes { try encoder.encode($0, isLast: false, into: &frame) }
      try [UInt8]().withUnsafeBytes { try encoder.encode($0, isLast: true, into: &frame) }
    } catch {
      Issue.record(error)
    }
    return frame
  }()

  /// The same frame, declaring 256 MB: byte 5 is the window, its logarithm less 10 in bits 3 to 7.
  static let wide: [UInt8] = {
    var frame = narrow
    frame[5] = (28 - 10) << 3
    return frame
  }()

  @Test func theFramesAreWhatTheTestsNeed() {
    // A checksum, no length, no dictionary; then the window.
    let (flags, window) = (Self.narrow[4], Self.narrow[5])
    #expect(flags == 4 && window == (22 - 10) << 3)
    let (count, packedCount) = (Self.content.count, Self.narrow.count)
    #expect(count == 15_000_000)
    #expect(packedCount < 3_500_000, "without matches 3 MB back it would be 15 MB")
  }

  /// Windows in files, dropped every megabyte, give the same bytes as windows in memory.
  @Test func windowsInFilesDecodeTheSame() throws {
    try withTemporaryDirectory { folder in
      for frames in [Self.narrow, Self.wide, Self.narrow + Self.wide + Self.narrow] {
        let memory = WindowMemory(
          threshold: 1 << 20, residentLimit: 1 << 20, folder: folder.path)
        let decoded = try Zstd.decompress(frames, memory: memory)
        let rounds = frames.count / Self.narrow.count
        let isSame = decoded == Array(repeatElement(Self.content, count: rounds).joined())
        #expect(isSame, "\(rounds) frames")
        #expect(memory.mappings.isEmpty, "a decoder that is gone holds no window")
      }
      #expect(try names(in: folder).isEmpty)
    }
  }

  /// What is resident of the window stays near the limit while 15 MB pass through it.
  @Test func residentPagesAreBounded() throws {
    try withTemporaryDirectory { folder in
      let limit = 2 << 20
      let memory = WindowMemory(threshold: 1 << 20, residentLimit: limit, folder: folder.path)
      let residentCounts = try Self.decode(Self.wide, memory) {
        let unlinked = try names(in: folder).isEmpty
        #expect(unlinked, "the window's file has no name")
        return try memory.mappings.keys.map { try Self.residentCount(at: $0) }.reduce(0, +)
      }
      let most = residentCounts.max() ?? 0
      #expect(most > 0, "the window is in a file")
      // The kernel's count is a little late, and other tests map files too.
      #expect(most < 4 * limit)
    }
  }

  @Test func onlyWindowsAboveTheThresholdAreFiles() throws {
    try withTemporaryDirectory { folder in
      for (frame, expected) in [(Self.narrow, 0), (Self.wide, 1)] {
        let memory = WindowMemory(folder: folder.path)
        let counts = try Self.decode(frame, memory) { memory.mappings.count }
        let most = counts.max()
        #expect(most == expected)
      }
    }
  }

  @Test func aFolderThatCannotBeWrittenIsNamed() throws {
    let memory = WindowMemory(threshold: 1 << 20, folder: "/nonexistent")
    let error = checkpointError { _ = try Zstd.decompress(Self.wide, memory: memory) }
    // The data are in order: a reader that takes what came before a fault must not take this one.
    #expect(error?.kind == .unreadable)
    for part in ["cannot decompress the zstd data", " in /nonexistent,", "set TMPDIR", " MB "] {
      #expect(error?.message.contains(part) == true, "\(part)")
    }
    let small = try Zstd.decompress(Zstd.compress([1, 2, 3]), memory: memory)
    #expect(small == [1, 2, 3])
  }

  @Test func damagedFramesLeaveNoWindow() throws {
    try withTemporaryDirectory { folder in
      let memory = WindowMemory(threshold: 1 << 20, folder: folder.path)
      var damaged = Self.wide
      damaged[damaged.count - 1] ^= 1  // in the checksum
      let error = checkpointError { _ = try Zstd.decompress(damaged, memory: memory) }
      #expect(error?.kind == .malformed)
      #expect(memory.mappings.isEmpty)
      let cut = checkpointError { _ = try Zstd.decompress(damaged.dropLast(1000), memory: memory) }
      #expect(cut?.kind == .truncated)
      #expect(memory.mappings.isEmpty)
    }
  }

  /// Decodes `frame` in pieces of 256 kB and gives what `measure` says after each.
  static func decode(
    _ frame: [UInt8], _ memory: WindowMemory, _ measure: () throws -> Int
  ) throws -> [Int] {
    let decoder = ZstdDecoder(memory: memory)
    var piece = [UInt8](repeating: 0, count: 1 << 18)
    var (place, measured) = (0, [Int]())
    repeat {
      let step = try frame.withUnsafeBytes { input in
        try piece.withUnsafeMutableBytes {
          try decoder.decode(UnsafeRawBufferPointer(rebasing: input[place...]), into: $0)
        }
      }
      place += step.consumed
      measured.append(try measure())
    } while !decoder.isComplete
    return measured
  }

  /// Resident bytes of the mapping that begins at `address`.
  static func residentCount(at address: UnsafeMutableRawPointer) throws -> Int {
    let start = String(UInt(bitPattern: address), radix: 16)
    // Foundation takes only the first piece of a file whose size the system gives as zero.
    let maps = try ByteReader.readAll(URL(filePath: "/proc/self/smaps"))
    let lines = String(decoding: maps, as: UTF8.self).split(separator: "\n")
      .drop { !$0.hasPrefix("\(start)-") }
    let line = try #require(lines.first { $0.hasPrefix("Rss:") })
    return try #require(Int(line.filter(\.isNumber))) * 1024
  }
}
