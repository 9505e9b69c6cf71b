import Glibc

/// Cuts the bytes of a `Posts.xml` into its `<row …>` tags, whatever stands between them.
///
/// A `<` cannot stand inside a tag of well-formed XML, so every `<` begins a piece of markup and
/// ends the one before. A tag that lacks its quote or its end thus spoils no other row, and a
/// document type declaration never reaches a parser: nothing in it can be expanded or fetched.
struct RowElements {
  /// What was found.
  enum Event {
    /// A tag that begins with `<row` and ends with `>`, and the place of its first byte.
    case row(ByteSpan, offset: Int)
    /// A row that is not ended before the next one begins or the file ends.
    case unended(offset: Int, isLast: Bool)
    /// A row above the limit; its bytes were passed over.
    case tooLong(offset: Int)
    /// A document type declaration, passed over.
    case documentType(offset: Int)
    /// `</posts>`, or whatever the last closing tag that is none of a row.
    case end
  }

  /// Bytes that a row may have.
  let limit: Int
  /// The begin of a piece of markup whose end was not seen yet.
  private var pending: [UInt8] = []
  private var pendingOffset = 0
  private var isOpen = false
  private var isOverlong = false
  /// What ends the comment or declaration that is being passed over.
  private var terminator: [UInt8] = []
  private var offset: Int

  /// - Parameter offset: the place of the first byte that will be given.
  init(limit: Int, offset: Int = 0) {
    self.limit = limit
    self.offset = offset
  }

  /// The place in the input where another reader could take over; nil inside a comment.
  var resumeOffset: Int? {
    guard terminator.isEmpty else { return nil }
    return isOpen ? pendingOffset : offset
  }

  /// Takes the next bytes and reports what is complete by now.
  mutating func consume(_ bytes: ByteSpan, _ report: (Event) throws -> Void) throws {
    defer { offset += bytes.count }
    guard var start = Self.bracket(in: bytes, from: 0) else {
      if isOpen { append(bytes) }
      return
    }
    if isOpen {
      append(ByteSpan(rebasing: bytes[..<start]))
      try closePending(report)
    }
    while let next = Self.bracket(in: bytes, from: start + 1) {
      if next - start > limit {
        let isRow = Self.isRow(ByteSpan(rebasing: bytes[start..<next]))
        if terminator.isEmpty, isRow { try report(.tooLong(offset: offset + start)) }
      } else {
        let piece = ByteSpan(rebasing: bytes[start..<next])
        try judge(piece, at: offset + start, isLast: false, report)
      }
      start = next
    }
    (isOpen, isOverlong, pendingOffset) = (true, false, offset + start)
    pending.removeAll(keepingCapacity: true)
    append(ByteSpan(rebasing: bytes[start...]))
  }

  /// Reports what the end of the input leaves open.
  mutating func finish(_ report: (Event) throws -> Void) throws {
    if isOpen { try closePending(isLast: true, report) }
  }

  private mutating func append(_ bytes: ByteSpan) {
    guard !isOverlong else { return }
    isOverlong = pending.count + bytes.count > limit
    pending.append(contentsOf: isOverlong ? ByteSpan(rebasing: bytes.prefix(8)) : bytes)
  }

  private mutating func closePending(
    isLast: Bool = false, _ report: (Event) throws -> Void
  ) throws {
    isOpen = false
    let bytes = pending
    if isOverlong {
      let isRow = bytes.withUnsafeBufferPointer(Self.isRow)
      if terminator.isEmpty, isRow { try report(.tooLong(offset: pendingOffset)) }
      return
    }
    try bytes.withUnsafeBufferPointer { try judge($0, at: pendingOffset, isLast: isLast, report) }
  }

  /// Reports what `bytes`, which begin with `<` and have no other, are.
  private mutating func judge(
    _ bytes: ByteSpan, at offset: Int, isLast: Bool, _ report: (Event) throws -> Void
  ) throws {
    if !terminator.isEmpty {
      if Self.contains(bytes, terminator) { terminator = [] }
      return
    }
    if Self.isRow(bytes) {
      var count = bytes.count
      while bytes[count - 1] <= 0x20 { count -= 1 }
      // What follows a tag is text between rows and means nothing.
      if bytes[count - 1] != UInt8(ascii: ">") {
        guard let end = Self.tagEnd(bytes) else {
          return try report(.unended(offset: offset, isLast: isLast))
        }
        count = end
      }
      return try report(.row(ByteSpan(rebasing: bytes[..<count]), offset: offset))
    }
    for (start, end) in Self.passedOver where bytes.starts(with: start) {
      if start == Self.documentType {
        try report(.documentType(offset: offset))
        guard bytes.contains(UInt8(ascii: "[")) else { return }
      }
      if !Self.contains(bytes, end) { terminator = end }
      return
    }
    if bytes.count > 2, bytes[1] == UInt8(ascii: "/"), bytes.contains(UInt8(ascii: ">")),
      !bytes.starts(with: "</row".utf8)
    {
      try report(.end)
    }
  }

  private static let documentType = Array("<!DOCTYPE".utf8)
  /// Markup whose content is none, and what ends it.
  private static let passedOver = [
    (Array("<!--".utf8), Array("-->".utf8)), (Array("<![CDATA[".utf8), Array("]]>".utf8)),
    (documentType, Array("]>".utf8)),
  ]

  private static func bracket(in bytes: ByteSpan, from start: Int) -> Int? {
    guard let base = bytes.baseAddress, start < bytes.count else { return nil }
    return memchr(base + start, 0x3c, bytes.count - start).map {
      UnsafeRawPointer($0) - UnsafeRawPointer(base)
    }
  }

  /// The count of bytes up to the `>` that stands outside of quotation marks, if there is one.
  private static func tagEnd(_ bytes: ByteSpan) -> Int? {
    var quote: UInt8?
    for (index, byte) in bytes.enumerated() {
      if let open = quote {
        if byte == open { quote = nil }
      } else if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "'") {
        quote = byte
      } else if byte == UInt8(ascii: ">") {
        return index + 1
      }
    }
    return nil
  }

  private static func isRow(_ bytes: ByteSpan) -> Bool {
    guard bytes.count >= 5, bytes.starts(with: "<row".utf8) else { return false }
    return bytes[4] <= 0x20 || bytes[4] == UInt8(ascii: "/") || bytes[4] == UInt8(ascii: ">")
  }

  private static func contains(_ bytes: ByteSpan, _ pattern: [UInt8]) -> Bool {
    bytes.indices.dropLast(pattern.count - 1).contains { bytes[$0...].starts(with: pattern) }
  }
}
