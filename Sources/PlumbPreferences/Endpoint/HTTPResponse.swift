/// An answer in HTTP/1.1 (RFC 9112): its status and its body.
struct HTTPResponse {
  let status: Int
  let body: [UInt8]

  /// Reads the bytes received so far; nil while the answer is not complete.
  ///
  /// The body is as long as `Content-Length` says, or in chunks, or all up to the end of the stream.
  /// - Parameter isComplete: whether the stream has ended.
  /// - Throws: where the bytes are not HTTP.
  init?(_ bytes: [UInt8], isComplete: Bool) throws(EndpointExchange.Fault) {
    let mark = Array("HTTP/1.".utf8)
    guard bytes.prefix(mark.count).elementsEqual(mark.prefix(bytes.count)) else {
      throw .broken("the answer is not HTTP: \(EndpointSchema.excerpt(bytes))")
    }
    guard let end = bytes.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let lines = String(decoding: bytes[..<end.lowerBound], as: UTF8.self)
      .split(separator: "\r\n", omittingEmptySubsequences: false)
    let words = lines[0].split(separator: " ")
    guard words.count >= 2, let status = Int(words[1]), (200..<600).contains(status) else {
      throw .broken("the answer is not HTTP: '\(EndpointSchema.shortened(String(lines[0])))'")
    }
    func header(_ name: String) -> String? {
      lines.dropFirst().first { $0.lowercased().hasPrefix(name + ":") }.map {
        $0.dropFirst(name.count + 1).filter { $0 != " " && $0 != "\t" }.lowercased()
      }
    }
    let rest = bytes[end.upperBound...]
    self.status = status
    if let coding = header("transfer-encoding"), coding != "identity" {
      guard coding == "chunked" else { throw .broken("the answer is coded as \(coding)") }
      guard let body = try Self.joined(rest) else { return nil }
      self.body = body
    } else if let text = header("content-length") {
      guard let length = Int(text), length >= 0 else {
        throw .broken("the length of the answer is '\(EndpointSchema.shortened(text))'")
      }
      guard rest.count >= length else { return nil }
      body = Array(rest.prefix(length))
    } else {
      guard isComplete else { return nil }
      body = Array(rest)
    }
  }

  /// The chunks of a body end to end; nil while the last one is not there.
  private static func joined(_ bytes: ArraySlice<UInt8>) throws(EndpointExchange.Fault) -> [UInt8]?
  {
    let newline = Array("\r\n".utf8)
    var rest = bytes
    var body: [UInt8] = []
    while let end = rest.firstRange(of: newline) {
      let line = String(decoding: rest[..<end.lowerBound], as: UTF8.self)
      let digits = line.prefix { $0 != ";" }.filter { $0 != " " }
      guard let size = Int(digits, radix: 16), (0..<(1 << 30)).contains(size) else {
        throw .broken("the size of a chunk is '\(EndpointSchema.shortened(line))'")
      }
      if size == 0 { return body }
      let start = end.upperBound
      guard rest.endIndex - start >= size + newline.count else { return nil }
      body += rest[start..<start + size]
      rest = rest[(start + size + newline.count)...]
    }
    return nil
  }
}
