import Glibc

/// Cuts bytes into lines, of which those above a limit are passed over.
struct LineElements {
  /// What was found.
  enum Event {
    /// A line without its end, and the place of its first byte.
    case line(ByteSpan, offset: Int)
    /// A line above the limit.
    case tooLong(offset: Int)
  }

  private let limit: Int
  private var pending: [UInt8] = []
  private var pendingOffset: Int
  private var isOverlong = false
  private var offset: Int

  /// - Parameter offset: the place of the first byte that will be given.
  init(limit: Int, offset: Int = 0) {
    self.limit = limit
    self.offset = offset
    pendingOffset = offset
  }

  /// The place in the input where another reader could take over.
  var resumeOffset: Int { pendingOffset }

  /// Takes the next bytes and reports the lines that end in them.
  mutating func consume(_ bytes: ByteSpan, _ report: (Event) throws -> Void) throws {
    guard let base = bytes.baseAddress else { return }
    defer { offset += bytes.count }
    var place = 0
    while let hit = memchr(base + place, 0x0a, bytes.count - place) {
      let end = UnsafeRawPointer(hit) - UnsafeRawPointer(base)
      let line = ByteSpan(rebasing: bytes[place..<end])
      if pending.isEmpty, !isOverlong, line.count <= limit {
        try report(.line(line, offset: pendingOffset))
      } else {
        append(line)
        try close(report)
      }
      place = end + 1
      pendingOffset = offset + place
    }
    append(ByteSpan(rebasing: bytes[place...]))
  }

  /// Reports the last line, if it lacks its end.
  mutating func finish(_ report: (Event) throws -> Void) throws {
    if !pending.isEmpty || isOverlong { try close(report) }
    pendingOffset = offset
  }

  private mutating func append(_ bytes: ByteSpan) {
    guard !isOverlong else { return }
    if pending.count + bytes.count > limit {
      isOverlong = true
      pending = []
    } else {
      pending.append(contentsOf: bytes)
    }
  }

  private mutating func close(_ report: (Event) throws -> Void) throws {
    defer {
      pending.removeAll(keepingCapacity: true)
      isOverlong = false
    }
    if isOverlong { return try report(.tooLong(offset: pendingOffset)) }
    let line = pending
    try line.withUnsafeBufferPointer { try report(.line($0, offset: pendingOffset)) }
  }
}
