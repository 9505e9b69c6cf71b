/// Builds the JSON of one pair from bytes, in the schema that ``DataFile`` reads.
struct PairLine {
  /// One side of a pair.
  struct Side {
    let id: [UInt8]
    let text: [UInt8]
    let votes: Int
    let isAccepted: Bool
    let time: Int64
    let license: String
  }

  /// What all pairs of a question share.
  struct Question {
    let site: String
    let id: [UInt8]
    let prompt: [UInt8]
    let license: String
    let links: ForumLinks
  }

  private(set) var bytes: [UInt8] = []

  /// Replaces the content by a pair and a line feed.
  mutating func build(_ question: Question, chosen: Side, rejected: Side, margin: Int) {
    bytes.removeAll(keepingCapacity: true)
    raw("{\"id\":")
    let name = Array(question.site.utf8) + [0x2d] + question.id
    string(name + [0x2d] + chosen.id + [0x2d] + rejected.id)
    raw(",\"source\":")
    string(Array(question.site.utf8))
    raw(",\"messages\":[{\"role\":\"user\",\"content\":")
    string(question.prompt)
    raw("}],\"chosen\":")
    string(chosen.text)
    raw(",\"rejected\":")
    string(rejected.text)
    raw(",\"margin\":\(margin),\"score_chosen\":\(chosen.votes)")
    raw(",\"score_rejected\":\(rejected.votes)")
    let accepted = chosen.isAccepted ? "\"chosen\"" : rejected.isAccepted ? "\"rejected\"" : "null"
    raw(",\"accepted\":\(accepted)")
    let areTimesKnown = chosen.time != ForumTime.unknown && rejected.time != ForumTime.unknown
    raw(",\"chosen_later\":\(areTimesKnown ? "\(chosen.time > rejected.time)" : "null")")
    raw(",\"created_chosen\":\"\(ForumTime.text(chosen.time))\"")
    raw(",\"created_rejected\":\"\(ForumTime.text(rejected.time))\"")
    let links = [
      question.links.question(question.id), question.links.answer(chosen.id, of: question.id),
      question.links.answer(rejected.id, of: question.id),
    ]
    for (key, link) in zip(["url", "url_chosen", "url_rejected"], links) where !link.isEmpty {
      raw(",\"\(key)\":")
      string(Array(link.utf8))
    }
    var licenses: [String] = []
    for name in [question.license, chosen.license, rejected.license]
    where !name.isEmpty && !licenses.contains(name) { licenses.append(name) }
    if !licenses.isEmpty {
      raw(",\"license\":")
      string(Array(licenses.joined(separator: ", ").utf8))
    }
    raw("}\n")
  }

  private mutating func raw(_ text: String) { bytes += text.utf8 }

  /// Appends a JSON string; its bytes must be UTF-8.
  private mutating func string(_ text: [UInt8]) {
    bytes.append(UInt8(ascii: "\""))
    text.withUnsafeBufferPointer { text in
      var start = 0
      for place in 0..<text.count {
        let byte = text[place]
        guard byte < 0x20 || byte == 0x22 || byte == 0x5c || byte == 0x7f else { continue }
        bytes.append(contentsOf: ByteSpan(rebasing: text[start..<place]))
        start = place + 1
        switch byte {
        case 0x22, 0x5c:
          bytes.append(0x5c)
          bytes.append(byte)
        case 0x0a: bytes += [0x5c, UInt8(ascii: "n")]
        case 0x0d: bytes += [0x5c, UInt8(ascii: "r")]
        case 0x09: bytes += [0x5c, UInt8(ascii: "t")]
        default:
          let digits = Array("0123456789abcdef".utf8)
          bytes += "\\u00".utf8
          bytes += [digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
      }
      bytes.append(contentsOf: ByteSpan(rebasing: text[start...]))
    }
    bytes.append(UInt8(ascii: "\""))
  }
}

/// Where posts can be found and who must be named: what their licence asks for.
struct ForumLinks {
  /// What the links lead to.
  enum Kind {
    case stackExchange
    case reddit
  }

  let kind: Kind
  /// The host of a Stack Exchange site.
  private let host: String

  init(site: String) {
    kind = site.hasPrefix("r/") ? .reddit : .stackExchange
    host = Self.host(of: site)
  }

  func question(_ id: [UInt8]) -> String {
    let id = String(decoding: id, as: UTF8.self)
    switch kind {
    case .stackExchange: return isPublic(id) ? "https://\(host)/q/\(id)" : ""
    case .reddit: return "https://www.reddit.com/comments/\(id)"
    }
  }

  func answer(_ id: [UInt8], of question: [UInt8]) -> String {
    let id = String(decoding: id, as: UTF8.self)
    switch kind {
    case .stackExchange: return isPublic(id) ? "https://\(host)/a/\(id)" : ""
    case .reddit: return self.question(question) + "/_/\(id)"
    }
  }

  /// The licence of a post by its date, where the dump does not say it.
  ///
  /// Stack Exchange: CC BY-SA 2.5 until 2011-04-07, 3.0 until 2018-05-01, 4.0 since
  /// (https://stackoverflow.com/help/licensing). Reddit's texts stay their authors'.
  func license(_ stated: [UInt8], time: Int64) -> String {
    if !stated.isEmpty { return String(decoding: stated, as: UTF8.self) }
    guard kind == .stackExchange, time != ForumTime.unknown else { return "" }
    if time < ForumTime.milliseconds(Array("2011-04-08".utf8)) { return "CC BY-SA 2.5" }
    if time < ForumTime.milliseconds(Array("2018-05-02".utf8)) { return "CC BY-SA 3.0" }
    return "CC BY-SA 4.0"
  }

  /// Whether a post of this name can be on a site of this name at all.
  private func isPublic(_ id: String) -> Bool {
    !id.isEmpty && id.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && host.utf8.allSatisfy { byte in
        (0x30...0x39).contains(byte) || (0x61...0x7a).contains(byte | 0x20) || byte == 0x2d
          || byte == 0x2e
      }
  }

  private static func host(of site: String) -> String {
    let own = [
      "stackoverflow": "stackoverflow.com", "superuser": "superuser.com",
      "serverfault": "serverfault.com", "askubuntu": "askubuntu.com", "stackapps": "stackapps.com",
      "mathoverflow": "mathoverflow.net",
    ]
    if let host = own[site] { return host }
    return site.contains(".") && !site.hasPrefix("meta.") && !site.hasSuffix(".meta")
      ? site : "\(site).stackexchange.com"
  }
}
