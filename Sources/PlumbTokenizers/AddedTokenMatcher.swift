/// Finds added tokens in a text: at the leftmost place, the longest one.
struct AddedTokenMatcher: Sendable {
  /// A stretch of text: an added token, or what stands between two of them.
  struct Piece {
    var range: Range<Int>
    var id: Int?
  }

  private var contents = ByteTable()
  private var tokens: [AddedToken] = []
  /// For each first byte, the lengths of the contents that begin with it, longest first.
  private var lengths = [[Int]](repeating: [], count: 256)

  /// A matcher of `tokens`, whose content is looked for as `normalization` leaves it.
  init(_ tokens: [AddedToken], normalization: Normalization) {
    for token in tokens {
      let content = normalization.applied(to: token.content)
      guard let first = content.utf8.first, contents.insert(content).isNew else { continue }
      self.tokens.append(token)
      if !lengths[Int(first)].contains(content.utf8.count) {
        lengths[Int(first)].append(content.utf8.count)
        lengths[Int(first)].sort(by: >)
      }
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// Cuts `text[start..<end]` at its added tokens.
  ///
  /// Where special tokens are not parsed, a match of one is ordinary text.
  func split(
    _ text: UnsafeBufferPointer<UInt8>, _ bounds: Range<Int>, parsingSpecialTokens: Bool
  ) -> [Piece] {
    var pieces: [Piece] = []
    var textStart = bounds.lowerBound
    var position = bounds.lowerBound
    while position < bounds.upperBound {
      guard let (token, length) = longestMatch(text, at: position, to: bounds.upperBound) else {
        position += 1
        continue
      }
      var match = position..<position + length
      position = match.upperBound
      if token.isSpecial, !parsingSpecialTokens { continue }
      if token.isSingleWord, touchesWord(text, match, bounds) { continue }
      if token.stripsLeft {
        match = spacesStart(text, from: match.lowerBound, textStart)..<match.upperBound
      }
      if token.stripsRight {
        match = match.lowerBound..<spacesEnd(text, from: match.upperBound, bounds.upperBound)
        position = match.upperBound
      }
      if textStart < match.lowerBound {
        pieces.append(Piece(range: textStart..<match.lowerBound, id: nil))
      }
      pieces.append(Piece(range: match, id: token.id))
      textStart = match.upperBound
    }
    if textStart < bounds.upperBound {
      pieces.append(Piece(range: textStart..<bounds.upperBound, id: nil))
    }
    return pieces
  }

  @inline(__always)
  private func longestMatch(
    _ text: UnsafeBufferPointer<UInt8>, at position: Int, to end: Int
  ) -> (token: AddedToken, length: Int)? {
    for length in lengths[Int(text[position])] where position + length <= end {
      let candidate = UnsafeBufferPointer(rebasing: text[position..<position + length])
      if let index = contents.find(candidate) { return (tokens[index], length) }
    }
    return nil
  }

  private func touchesWord(
    _ text: UnsafeBufferPointer<UInt8>, _ match: Range<Int>, _ bounds: Range<Int>
  ) -> Bool {
    let before = text[bounds.lowerBound..<match.lowerBound]
    let after = text[match.upperBound..<bounds.upperBound]
    let previous = String(decoding: before.suffix(4), as: UTF8.self).unicodeScalars.last
    let next = String(decoding: after.prefix(4), as: UTF8.self).unicodeScalars.first
    return [previous, next].contains { $0.map(Self.isWordCharacter) ?? false }
  }

  /// `\w` (Unicode Technical Standard 18, Annex C).
  private static func isWordCharacter(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation:
      return true
    default:
      return properties.isAlphabetic || properties.isJoinControl
    }
  }

  private func spacesStart(
    _ text: UnsafeBufferPointer<UInt8>, from end: Int, _ limit: Int
  ) -> Int {
    var end = end
    for scalar in String(decoding: text[limit..<end], as: UTF8.self).unicodeScalars.reversed() {
      guard scalar.properties.isWhitespace else { break }
      end -= UTF8.width(scalar)
    }
    return end
  }

  private func spacesEnd(
    _ text: UnsafeBufferPointer<UInt8>, from start: Int, _ limit: Int
  ) -> Int {
    ClassifiedText.with(text) { text in
      var position = start
      while position < limit {
        let next = text.character(at: position)
        guard next.kind == .space || next.kind == .newline else { break }
        position += next.width
      }
      return position
    }
  }
}
