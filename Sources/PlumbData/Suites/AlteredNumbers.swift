import PlumbTensors

/// Numbers in a text replaced by others of the same form.
enum AlteredNumbers {
  /// Every number of a text altered; nil where there is none.
  static func text(_ text: String, _ random: inout RandomStream) -> String? {
    var result = ""
    var changed = false
    for piece in NumberPieces(text).pieces {
      guard let number = piece.number, !piece.isListMark else {
        result += piece.text
        continue
      }
      result += number.altered(&random).text
      changed = true
    }
    return changed ? result : nil
  }
}

/// A number as it stands in a text: `130,000`, `2.50`, `7`.
struct WrittenNumber: Hashable {
  var value: Double
  /// Digits after the point.
  var decimals: Int
  /// Whether groups of three digits are parted by commas.
  var hasCommas: Bool

  init(value: Double, decimals: Int, hasCommas: Bool) {
    self.value = value
    self.decimals = decimals
    self.hasCommas = hasCommas
  }

  /// Reads digits with commas and a point; nil for anything else, or for more than 15 digits.
  init?(_ text: String) {
    let digits = text.filter { $0 != "," }
    guard digits.first?.isNumber == true, digits.count <= 16, let value = Double(digits) else {
      return nil
    }
    let decimals = digits.split(separator: ".", omittingEmptySubsequences: false)
    self.init(
      value: value, decimals: decimals.count == 2 ? decimals[1].count : 0,
      hasCommas: text.contains(","))
  }

  /// Another number of the same size and form, never the same.
  func altered(_ random: inout RandomStream) -> WrittenNumber {
    let unit = (0..<decimals).reduce(1.0) { unit, _ in unit / 10 }
    let steps = (value / unit).rounded()
    let widest = max(2, Int(min(steps, 1e9) * 0.3))
    let change = Double(1 + random.uniform(below: widest))
    let isDown = steps > change && random.uniform() < 0.5
    return WrittenNumber(
      value: (steps + (isDown ? -change : change)) * unit, decimals: decimals,
      hasCommas: hasCommas)
  }

  /// The number with its commas and digits after the point.
  var text: String {
    let scale = (0..<decimals).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = (abs(value) * scale).rounded()
    let whole = "\(Int((scaled / scale).rounded(.down)))"
    var result = value < 0 && scaled > 0 ? "-" : ""
    for (index, digit) in whole.enumerated() {
      let left = whole.count - index
      if hasCommas, index > 0, left.isMultiple(of: 3) { result.append(",") }
      result.append(digit)
    }
    guard decimals > 0 else { return result }
    let rest = "\(Int(scaled - (scaled / scale).rounded(.down) * scale))"
    return result + "." + String(repeating: "0", count: decimals - rest.count) + rest
  }
}

/// A text cut into numbers and what lies between them; joined they are the text.
struct NumberPieces {
  struct Piece {
    var text: String
    var number: WrittenNumber?
    /// Whether it numbers a line: `1.` or `1)` where a line begins.
    var isListMark = false
  }

  var pieces: [Piece] = []

  init(_ text: String) {
    let characters = Array(text)
    var place = 0
    var start = 0
    var startsLine = true
    while place < characters.count {
      guard Self.isDigit(characters[place]),
        place == 0 || !Self.isNamePart(characters[place - 1])
      else {
        if characters[place].isNewline {
          startsLine = true
        } else if !characters[place].isWhitespace {
          startsLine = false
        }
        place += 1
        continue
      }
      let end = Self.end(of: characters, from: place)
      let number = WrittenNumber(String(characters[place..<end]))
      if start < place { pieces.append(Piece(text: String(characters[start..<place]))) }
      let isMark =
        startsLine && end < characters.count && ".)".contains(characters[end])
        && end + 1 < characters.count && characters[end + 1].isWhitespace
      pieces.append(
        Piece(text: String(characters[place..<end]), number: number, isListMark: isMark))
      (place, start, startsLine) = (end, end, false)
    }
    if start < characters.count { pieces.append(Piece(text: String(characters[start...]))) }
  }

  /// Whether a digit after it belongs to a name, such as `H2O` or `x_10`, whose first digit was passed.
  private static func isNamePart(_ character: Character) -> Bool {
    character.isLetter || character == "_" || isDigit(character)
  }

  private static func isDigit(_ character: Character) -> Bool { ("0"..."9").contains(character) }

  /// The end of a number: digits, commas before groups of three, one point before digits.
  private static func end(of text: [Character], from start: Int) -> Int {
    var end = start
    var hasPoint = false
    while end < text.count {
      if isDigit(text[end]) {
        end += 1
      } else if text[end] == ",", !hasPoint, end + 3 < text.count,
        text[(end + 1)...(end + 3)].allSatisfy(isDigit),
        end + 4 == text.count || !isDigit(text[end + 4])
      {
        end += 4
      } else if text[end] == ".", !hasPoint, end + 1 < text.count, isDigit(text[end + 1]) {
        hasPoint = true
        end += 1
      } else {
        break
      }
    }
    return end
  }
}
