public import PlumbTensors

/// A way to make a good answer worse that anyone can verify.
///
/// What comes out always differs from the answer in its words, is never empty, and depends on the
/// text and the random stream only.
public enum Corruption: String, Codable, Hashable, Sendable, CaseIterable {
  /// One sentence, not the last, is missing.
  case sentenceDeleted = "sentence-deleted"
  /// The sentences stand in another order.
  case sentencesShuffled = "sentences-shuffled"
  /// The words of each sentence stand in another order.
  case wordsShuffled = "words-shuffled"
  /// Every number is another; list marks stay.
  case numbersAltered = "numbers-altered"
  /// One statement is negated, or one negation is taken away.
  case negationFlipped = "negation-flipped"
  /// Two names change places wherever they stand.
  case entitiesSwapped = "entities-swapped"
  /// It breaks off in the middle of a sentence, after 40 to 70 % of its words.
  case truncated
  /// Its first half twice, in place of the whole.
  case repeated
  /// The good answer to another question.
  case otherAnswer = "other-answer"

  /// The worse answer; nil where the answer does not allow it (no number, a single sentence, …).
  ///
  /// - Parameters:
  ///   - answer: a good answer.
  ///   - other: a good answer to another question, for `otherAnswer` only.
  ///   - random: decides where it happens.
  public func worse(
    than answer: String, other: String? = nil, random: inout RandomStream
  ) -> String? {
    let result: String? =
      switch self {
      case .sentenceDeleted: Self.deleting(answer, &random)
      case .sentencesShuffled: Self.shufflingSentences(answer, &random)
      case .wordsShuffled: Self.shufflingWords(answer, &random)
      case .numbersAltered: AlteredNumbers.text(answer, &random)
      case .negationFlipped: Negation.flipped(answer, &random)
      case .entitiesSwapped: Self.swappingEntities(answer, &random)
      case .truncated: Self.truncating(answer, &random)
      case .repeated: Self.repeating(answer)
      case .otherAnswer: other.map(trimmed)
      }
    guard let result, !trimmed(result).isEmpty, !sameWords(result, answer) else { return nil }
    return result
  }

  private static func deleting(_ text: String, _ random: inout RandomStream) -> String? {
    var pieces = Sentences(text).pieces
    guard pieces.count >= 3 else { return nil }
    pieces.remove(at: random.uniform(below: pieces.count - 1))
    return Sentences.joined(pieces)
  }

  private static func shufflingSentences(
    _ text: String, _ random: inout RandomStream
  ) -> String? {
    let pieces = Sentences(text).pieces
    guard pieces.count >= 3 else { return nil }
    return shuffled(pieces, &random).map(Sentences.joined)
  }

  private static func shufflingWords(_ text: String, _ random: inout RandomStream) -> String? {
    var changed = false
    let sentences = Sentences(text).pieces.map { sentence in
      var words = Words(sentence)
      let places = words.places
      guard let order = shuffled(places.map { words.pieces[$0] }, &random) else { return sentence }
      changed = true
      for (place, word) in zip(places, order) { words.pieces[place] = word }
      return words.text
    }
    return changed ? trimmed(sentences.joined()) : nil
  }

  /// Another order of the elements; nil where all orders read the same.
  private static func shuffled(
    _ elements: [String], _ random: inout RandomStream
  ) -> [String]? {
    guard Set(elements.map(trimmed)).count > 1 else { return nil }
    while true {
      let order = random.permutation(elements.count).map { elements[$0] }
      if order.map(trimmed) != elements.map(trimmed) { return order }
    }
  }

  /// Names are capitalised words of two letters or more that begin no sentence.
  private static func swappingEntities(
    _ text: String, _ random: inout RandomStream
  ) -> String? {
    var words = Words(text)
    var names: [String] = []
    for place in words.places where !words.startsSentence(place) {
      let word = words.pieces[place]
      guard word.first?.isUppercase == true, word.count > 1, !word.hasPrefix("I'"),
        !names.contains(word)
      else { continue }
      names.append(word)
    }
    guard names.count >= 2 else { return nil }
    let first = random.uniform(below: names.count)
    let second = (first + 1 + random.uniform(below: names.count - 1)) % names.count
    for place in words.places {
      if words.pieces[place] == names[first] {
        words.pieces[place] = names[second]
      } else if words.pieces[place] == names[second] {
        words.pieces[place] = names[first]
      }
    }
    return words.text
  }

  private static func truncating(_ text: String, _ random: inout RandomStream) -> String? {
    let words = Words(text)
    let places = words.places
    guard places.count >= 8 else { return nil }
    var kept = Int(Float(places.count) * (0.4 + 0.3 * random.uniform()))
    // A cut after a full stop would leave a whole answer, only a shorter one.
    while kept > 2, words.pieces[places[kept - 1] + 1].contains(where: { ".!?\n".contains($0) }) {
      kept -= 1
    }
    guard kept > 2 else { return nil }
    return words.pieces[...places[kept - 1]].joined()
  }

  private static func repeating(_ text: String) -> String? {
    let pieces = Sentences(text).pieces
    guard pieces.count >= 2 else { return nil }
    let half = Array(pieces.prefix((pieces.count + 1) / 2))
    return Sentences.joined(half + half)
  }
}
