public import FoundationEssentials
import Glibc

/// The lines of a text file, plain, gzip or zstd, one at a time in bounded memory.
///
/// Lines end with LF or CRLF; the last one may lack its end. A byte order mark at the start is
/// skipped.
public struct LineReader {
  /// One line without its end.
  public struct Line: Hashable, Sendable {
    /// The place in the file, from 1.
    public let number: Int
    /// The content.
    public let bytes: [UInt8]

    /// The content as text; invalid UTF-8 is replaced by U+FFFD.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// True if there is nothing but spaces and tabs.
    public var isBlank: Bool { bytes.allSatisfy { $0 == 0x20 || $0 == 0x09 || $0 == 0x0d } }
  }

  private let reader: ByteReader
  private let maximumLineByteCount: Int
  private var piece: [UInt8] = []
  private var place = 0
  private var number = 0

  /// Opens `url`; a line longer than `maximumLineByteCount` bytes will be refused.
  public init(contentsOf url: URL, maximumLineByteCount: Int = 64 << 20) throws {
    reader = try ByteReader(contentsOf: url)
    self.maximumLineByteCount = maximumLineByteCount
  }

  /// The next line, or nil at the end.
  ///
  /// Throws ``CheckpointError`` naming the line at which a compressed stream breaks off.
  public mutating func next() throws -> Line? {
    var bytes: [UInt8] = []
    while true {
      if place == piece.count {
        guard let next = try nextPiece() else {
          guard !bytes.isEmpty else { return nil }
          number += 1
          return line(bytes)
        }
        (piece, place) = (next, 0)
      }
      let end = piece.withUnsafeBytes { Self.newline(in: $0, from: place) }
      bytes.append(contentsOf: piece[place..<(end ?? piece.count)])
      guard bytes.count <= maximumLineByteCount else {
        throw CheckpointError(
          .unsupported, path: reader.url.path, "line \(number + 1) is too long",
          expected: "at most \(maximumLineByteCount) bytes", found: "more")
      }
      place = end.map { $0 + 1 } ?? piece.count
      if end != nil {
        number += 1
        return line(bytes)
      }
    }
  }

  private func line(_ bytes: [UInt8]) -> Line {
    var bytes = bytes
    if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
    if number == 1, bytes.starts(with: [0xef, 0xbb, 0xbf]) { bytes.removeFirst(3) }
    return Line(number: number, bytes: bytes)
  }

  private func nextPiece() throws -> [UInt8]? {
    do {
      return try reader.next()
    } catch let error as CheckpointError where error.kind == .truncated || error.kind == .malformed
    {
      throw CheckpointError(
        error.kind, path: error.path, "\(error.message) (in line \(number + 1))",
        expected: error.expected, found: error.found)
    }
  }

  private static func newline(in bytes: UnsafeRawBufferPointer, from start: Int) -> Int? {
    guard let base = bytes.baseAddress, start < bytes.count else { return nil }
    guard let hit = memchr(base + start, 0x0a, bytes.count - start) else { return nil }
    return UnsafeRawPointer(hit) - base
  }
}
