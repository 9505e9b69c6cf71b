import FoundationEssentials
import PlumbCheckpoints

extension ForumInput {
  /// What the first bytes of a file say.
  static func format(of url: URL) throws -> Format {
    let name = url.lastPathComponent
    if name.hasPrefix("RS_") || name.hasPrefix("RC_") { return .reddit }
    let start: [UInt8]
    var nothing = "an empty file"
    do {
      start = try ByteReader(contentsOf: url).next() ?? []
    } catch let error as CheckpointError where error.kind == .truncated {
      start = []
      nothing = "a compressed stream that ends before any of its content"
    }
    let content = start.drop { $0 <= 0x20 || [0xef, 0xbb, 0xbf].contains($0) }
    switch content.first {
    case UInt8(ascii: "<"): return .stackExchange
    case UInt8(ascii: "{"):
      let line = content.prefix { $0 != 0x0a }
      return line.withUnsafeBufferPointer { bytes in
        var hasAnswers = false
        _ = JSONLineScanner.scan(bytes) { key, _ in
          if key.elementsEqual("answers".utf8) { hasAnswers = true }
        }
        return hasAnswers ? .threads : .reddit
      }
    case nil:
      // An empty file has no format; its report says that nothing was read.
      if name.hasSuffix(".xml") || name.contains(".xml.") { return .stackExchange }
      fallthrough
    default:
      throw DataError(
        .unknownSchema, file: url.path, "this is no forum dump",
        expected: "Posts.xml, RS_* or RC_*, or threads as JSON lines",
        found: start.isEmpty ? nothing : "bytes that begin neither XML nor JSON")
    }
  }
}
