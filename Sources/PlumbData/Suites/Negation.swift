import PlumbTensors

/// Statements turned into their opposite by one word.
enum Negation {
  /// Verbs that a "not" after them turns round.
  private static let verbs: Set<String> = [
    "is", "are", "was", "were", "can", "could", "will", "would", "should", "must", "may", "might",
  ]
  /// Verbs that only lose a "not": with a noun after them ("has a dog") a new one is no sentence.
  private static let auxiliaries: Set<String> = ["has", "have", "do", "does", "did"]
  /// What a contraction says without its "not".
  private static let contractions: [String: String] = [
    "isn't": "is", "aren't": "are", "wasn't": "was", "weren't": "were", "can't": "can",
    "cannot": "can", "couldn't": "could", "won't": "will", "wouldn't": "would",
    "shouldn't": "should", "mustn't": "must", "don't": "do", "doesn't": "does", "didn't": "did",
    "hasn't": "has", "haven't": "have", "never": "always", "always": "never",
  ]
  /// The text with one statement turned round; nil where no word of these is in it.
  static func flipped(_ text: String, _ random: inout RandomStream) -> String? {
    var words = Words(text)
    let places = words.places
    var changes: [(place: Int, word: String)] = []
    for (index, place) in places.enumerated() {
      let word = words.pieces[place]
      let next = index + 1 < places.count ? words.pieces[places[index + 1]] : ""
      let spelled = word.replacing("’", with: "'")
      if let positive = contractions[spelled] {
        changes.append((place, positive))
      } else if word == "not", index > 0,
        verbs.union(auxiliaries).contains(words.pieces[places[index - 1]])
      {
        changes.append((place, ""))
      } else if verbs.contains(word), next != "not",
        !words.startsSentence(place)
      {
        changes.append((place, word == "can" ? "cannot" : word + " not"))
      }
    }
    guard !changes.isEmpty else { return nil }
    let (place, word) = changes[random.uniform(below: changes.count)]
    words.pieces[place] = word
    // The "not" that is gone leaves one of its two blanks.
    if word.isEmpty, place + 1 < words.pieces.count, words.pieces[place + 1].first == " " {
      words.pieces[place + 1].removeFirst()
    }
    return words.text
  }
}
