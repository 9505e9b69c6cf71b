/// A text cut into its sentences, each with the white space that follows it; joined they are the text.
struct Sentences {
  var pieces: [String] = []

  /// Cuts a text at full stops, exclamation and question marks before white space, and at lines.
  ///
  /// Closing quotes and brackets belong to the sentence before; the dot of a list mark ends none.
  init(_ text: String) {
    let characters = Array(text)
    var start = 0
    var place = 0
    while place < characters.count {
      let end = Self.end(of: characters, from: start, at: place)
      place += 1
      guard let end else { continue }
      pieces.append(String(characters[start..<end]))
      (start, place) = (end, end)
    }
    if start < characters.count { pieces.append(String(characters[start...])) }
    pieces = pieces.filter { !$0.isEmpty }
  }

  /// Where the next sentence begins, if the one from `start` ends at `place`.
  private static func end(of text: [Character], from start: Int, at place: Int) -> Int? {
    var end = place + 1
    if text[place].isNewline {
      while end < text.count, text[end].isWhitespace { end += 1 }
      return end
    }
    guard ".!?".contains(text[place]) else { return nil }
    if text[place] == ".", text[start..<place].allSatisfy({ $0.isNumber || $0.isWhitespace }) {
      return nil
    }
    while end < text.count, "\"')]".contains(text[end]) { end += 1 }
    guard end == text.count || text[end].isWhitespace else { return nil }
    while end < text.count, text[end].isWhitespace { end += 1 }
    return end
  }

  /// Joins pieces in any order: one without white space at its end gets a space.
  static func joined(_ pieces: [String]) -> String {
    trimmed(
      pieces.map { $0.last?.isWhitespace == true ? $0 : $0 + " " }.joined())
  }
}

/// A text cut into words and what lies between them; joined they are the text.
struct Words {
  var pieces: [String] = []
  /// Whether each piece is a word: letters, digits, and `'` or `-` between them.
  var isWord: [Bool] = []

  init(_ text: String) {
    let characters = Array(text)
    func isWordCharacter(_ place: Int) -> Bool {
      let character = characters[place]
      if character.isLetter || character.isNumber { return true }
      guard "'-’".contains(character), place > 0, place + 1 < characters.count else { return false }
      return characters[place - 1].isLetter && characters[place + 1].isLetter
    }
    for place in characters.indices {
      let word = isWordCharacter(place)
      if word == isWord.last {
        pieces[pieces.count - 1].append(characters[place])
      } else {
        pieces.append(String(characters[place]))
        isWord.append(word)
      }
    }
  }

  /// The places of the words in `pieces`.
  var places: [Int] { pieces.indices.filter { isWord[$0] } }

  var text: String { pieces.joined() }

  /// Whether nothing but white space, quotes and list marks stands between this word and the end of
  /// a sentence or line, or the beginning of the text.
  func startsSentence(_ place: Int) -> Bool {
    guard place > 0 else { return true }
    let before = pieces[place - 1]
    return place == 1 || before.contains { ".!?:\n\"“*#>".contains($0) }
  }
}

/// The same words, whatever the white space between them.
func sameWords(_ first: String, _ second: String) -> Bool {
  first.split(whereSeparator: \.isWhitespace) == second.split(whereSeparator: \.isWhitespace)
}
