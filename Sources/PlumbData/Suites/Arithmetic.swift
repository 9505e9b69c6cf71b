/// The value of an arithmetic expression of numbers, `+ - * /`, signs and parentheses.
struct Arithmetic {
  private let characters: [Character]
  private var place = 0

  private init(_ text: String) { characters = text.filter { !$0.isWhitespace && $0 != "," } }

  /// Nil for anything that is not such an expression, and for a division by 0.
  static func value(of text: String) -> Double? {
    var parser = Arithmetic(text)
    guard let value = parser.sum(), parser.place == parser.characters.count, value.isFinite else {
      return nil
    }
    return value
  }

  private var next: Character? { place < characters.count ? characters[place] : nil }

  private mutating func sum() -> Double? {
    guard var value = product() else { return nil }
    while let sign = next, "+-".contains(sign) {
      place += 1
      guard let term = product() else { return nil }
      value += sign == "+" ? term : -term
    }
    return value
  }

  private mutating func product() -> Double? {
    guard var value = factor() else { return nil }
    while let sign = next, "*/".contains(sign) {
      place += 1
      guard let term = factor() else { return nil }
      value = sign == "*" ? value * term : value / term
    }
    return value
  }

  private mutating func factor() -> Double? {
    guard let first = next else { return nil }
    if first == "-" {
      place += 1
      return factor().map { -$0 }
    }
    if first == "(" {
      place += 1
      guard let value = sum(), next == ")" else { return nil }
      place += 1
      return value
    }
    let start = place
    while let character = next, character.isNumber || character == "." { place += 1 }
    return place > start ? Double(String(characters[start..<place])) : nil
  }
}
