import CLibXML2
import Glibc

/// Reads the attributes of single `<row …/>` tags with libxml2's SAX interface.
///
/// One push parser reads row after row as the children of a root of our own, so that a row costs no
/// set-up. After a fault the parser is made anew and the next row starts clean. The parser sees rows
/// only, never the head of the document: no entity but XML's own five exists, none can be expanded,
/// and nothing is loaded.
final class RowParser {
  /// Takes the name of an attribute and its value, decoded, valid UTF-8.
  typealias Receive = (_ name: ByteSpan, _ value: ByteSpan) -> Void

  private var context: xmlParserCtxtPtr?
  private var rows = 0
  /// What takes the attributes of the row that is being read.
  private var receive: Receive?
  private var hasElement = false
  private(set) var fault = ""
  private var firstError: String?

  deinit { release() }

  /// Reads one tag; false, with ``fault`` set, if it is not well-formed.
  func parse(_ row: ByteSpan, _ receive: Receive) -> Bool {
    // Bounds the parser's dictionary of names, which hostile rows could fill.
    if context == nil || rows >= 50_000 { restart() }
    guard let context else {
      fault = "out of memory"
      return false
    }
    rows += 1
    hasElement = false
    firstError = nil
    let status = withoutActuallyEscaping(receive) { receive in
      self.receive = receive
      defer { self.receive = nil }
      var status = feed(context, row)
      let isOpenTag = row.count >= 2 && row[row.count - 2] != UInt8(ascii: "/")
      if status == 0, isOpenTag {
        status = Array("</row>".utf8).withUnsafeBufferPointer { feed(context, $0) }
      }
      return status
    }
    if status == 0, hasElement { return true }
    fault = firstError ?? "the row has no end"
    release()
    return false
  }

  private func feed(_ context: xmlParserCtxtPtr, _ bytes: ByteSpan) -> Int32 {
    bytes.withMemoryRebound(to: CChar.self) {
      xmlParseChunk(context, $0.baseAddress, Int32($0.count), 0)
    }
  }

  private func release() {
    if let context { xmlFreeParserCtxt(context) }
    context = nil
  }

  private func restart() {
    release()
    rows = 0
    var handler = xmlSAXHandler()
    handler.initialized = XML_SAX2_MAGIC
    handler.startElementNs = { data, _, _, _, _, _, count, _, attributes in
      guard let data else { return }
      Unmanaged<RowParser>.fromOpaque(data).takeUnretainedValue().element(Int(count), attributes)
    }
    // Without a taker libxml2 prints its errors. The first says what is wrong, others follow from it.
    handler.serror = { data, error in
      guard let data, let text = error?.pointee.message else { return }
      let parser = Unmanaged<RowParser>.fromOpaque(data).takeUnretainedValue()
      if parser.firstError == nil { parser.firstError = trimmed(String(cString: text)) }
    }
    let root = "<posts><row/>"
    context = xmlCreatePushParserCtxt(
      &handler, Unmanaged.passUnretained(self).toOpaque(), nil, 0, nil)
    // NOENT decodes `&amp;` in attributes; without it libxml2 leaves `&#38;` for a second reading.
    let options = XML_PARSE_NONET.rawValue | XML_PARSE_NOENT.rawValue
    guard let context else { return }
    xmlCtxtUseOptions(context, Int32(options))
    // The root is reported here, not with the first row.
    xmlParseChunk(context, root, Int32(root.utf8.count), 0)
  }

  private func element(_ count: Int, _ attributes: UnsafeMutablePointer<UnsafePointer<UInt8>?>?) {
    // The root comes first, without a receiver.
    guard let receive else { return }
    hasElement = true
    guard let attributes else { return }
    for index in 0..<count {
      // Local name, prefix, namespace, begin and end of the value.
      guard let name = attributes[5 * index], let start = attributes[5 * index + 3],
        let end = attributes[5 * index + 4]
      else { continue }
      receive(
        ByteSpan(
          start: name, count: strlen(UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self))),
        ByteSpan(start: start, count: end - start))
    }
  }
}
