import PlumbTensors
import Testing

@testable import PlumbData

/// Corruptions change what an answer says, always in the same way.
@Suite struct CorruptionTests {
  static let answer = """
    The Moon is 384,400 km from Earth. It takes 27.3 days to orbit it. Neil Armstrong was the first \
    man on it in 1969, and Buzz Aldrin followed. You can see its phases with the naked eye.

    1. New Moon is dark.
    2. Full Moon is bright, although it isn't a star.
    """
  static let other = "Boil the potatoes for 20 minutes. Then mash them with butter."

  func worse(_ corruption: Corruption, _ text: String = answer, seed: UInt64 = 1) -> String? {
    var random = RandomStream(seed: seed, purpose: corruption.rawValue)
    return corruption.worse(than: text, other: Self.other, random: &random)
  }

  @Test(arguments: Corruption.allCases)
  func everyCorruptionChangesTheWordsAndIsDeterministic(_ corruption: Corruption) throws {
    for seed in 0..<200 {
      let text = try #require(worse(corruption, seed: UInt64(seed)))
      #expect(!sameWords(text, Self.answer))
      #expect(!trimmed(text).isEmpty)
      #expect(text == worse(corruption, seed: UInt64(seed)))
    }
  }

  func words(_ text: String) -> [String] {
    let words = Words(text)
    return words.places.map { words.pieces[$0] }
  }

  @Test func aDeletedSentenceIsOneOfThemAndNotTheLast() throws {
    let sentences = Sentences(Self.answer).pieces.map(trimmed)
    #expect(
      sentences == [
        "The Moon is 384,400 km from Earth.", "It takes 27.3 days to orbit it.",
        "Neil Armstrong was the first man on it in 1969, and Buzz Aldrin followed.",
        "You can see its phases with the naked eye.", "1. New Moon is dark.",
        "2. Full Moon is bright, although it isn't a star.",
      ])
    var deleted: Set<Int> = []
    for seed in 0..<60 {
      let left = Sentences(try #require(worse(.sentenceDeleted, seed: UInt64(seed))))
        .pieces.map(trimmed)
      #expect(left.count == 5)
      let gone = sentences.indices.filter { !left.contains(sentences[$0]) }
      try #require(gone.count == 1)
      deleted.insert(gone[0])
      #expect(left == sentences.indices.filter { $0 != gone[0] }.map { sentences[$0] })
    }
    #expect(deleted == [0, 1, 2, 3, 4])
  }

  @Test func shufflesKeepTheWords() throws {
    let sentences = Sentences(Self.answer).pieces.map(trimmed)
    for seed in 0..<20 {
      let shuffled = Sentences(try #require(worse(.sentencesShuffled, seed: UInt64(seed))))
        .pieces.map(trimmed)
      #expect(shuffled.sorted() == sentences.sorted())
      #expect(shuffled != sentences)
      let text = try #require(worse(.wordsShuffled, seed: UInt64(seed)))
      #expect(words(text).sorted() == words(Self.answer).sorted())
      #expect(words(text) != words(Self.answer))
    }
  }

  @Test func numbersAreOthersInTheSameForm() throws {
    for seed in 0..<50 {
      let text = try #require(worse(.numbersAltered, seed: UInt64(seed)))
      let (old, new) = (NumberPieces(Self.answer).pieces, NumberPieces(text).pieces)
      try #require(old.count == new.count)
      for (before, after) in zip(old, new) {
        guard let number = before.number, !before.isListMark else {
          #expect(before.text == after.text)
          continue
        }
        #expect(after.number?.value != number.value)
        #expect(after.number?.decimals == number.decimals)
        #expect(after.number.map { $0.value > 0 } == true)
      }
      #expect(text.contains("1. New") && text.contains("2. Full"))
    }
    #expect(worse(.numbersAltered, "There are none, only H2O, B52 and x_10.") == nil)
  }

  @Test func aNegationTurnsOneStatement() throws {
    let cases: [(String, Set<String>)] = [
      ("It is cold.", ["It is not cold."]),
      ("It isn't cold.", ["It is cold."]),
      ("It is not cold.", ["It is cold."]),
      ("You can go.", ["You cannot go."]),
      (
        "They never sleep and must eat.",
        ["They always sleep and must eat.", "They never sleep and must not eat."]
      ),
      ("He did not go.", ["He did go."]),
      ("She doesn’t sing.", ["She does sing."]),
    ]
    for (text, expected) in cases {
      let found = Set((0..<40).compactMap { worse(.negationFlipped, text, seed: $0) })
      #expect(found == expected, "\(text)")
    }
    // A question's verb and a noun phrase offer nothing to turn round.
    #expect(worse(.negationFlipped, "Is it? He has a dog.") == nil)
  }

  @Test func namesChangePlacesEverywhere() throws {
    let text = "In Rome, Anna met Bert. Then Anna left."
    let found = Set((0..<60).compactMap { worse(.entitiesSwapped, text, seed: $0) })
    #expect(
      found == [
        "In Anna, Rome met Bert. Then Rome left.", "In Bert, Anna met Rome. Then Anna left.",
        "In Rome, Bert met Anna. Then Bert left.",
      ])
    #expect(worse(.entitiesSwapped, "Only Anna came. Bert slept, and I'm here.") == nil)
  }

  @Test func aTruncatedAnswerBreaksOffInASentence() throws {
    for seed in 0..<100 {
      let text = try #require(worse(.truncated, seed: UInt64(seed)))
      #expect(Self.answer.hasPrefix(text))
      let share = Double(words(text).count) / Double(words(Self.answer).count)
      #expect(share > 0.25 && share < 0.72)
      let rest = Self.answer.dropFirst(text.count)
      #expect(rest.first.map { !".!?\n".contains($0) } == true)
    }
    #expect(worse(.truncated, "Too short to cut.") == nil)
  }

  @Test func whatDoesNotFitGivesNothing() {
    let single = "One sentence without more"
    for corruption in [
      Corruption.sentenceDeleted, .sentencesShuffled, .numbersAltered, .negationFlipped,
      .entitiesSwapped, .truncated, .repeated,
    ] {
      #expect(worse(corruption, single) == nil, "\(corruption)")
      #expect(worse(corruption, "") == nil, "\(corruption)")
    }
    #expect(worse(.wordsShuffled, "again again") == nil)
    #expect(worse(.sentencesShuffled, "Yes. Yes. Yes.") == nil)
    #expect(worse(.otherAnswer, Self.other) == nil)
    #expect(worse(.repeated, "Go. Go.") == nil)
  }

  @Test func aRepeatedAnswerSaysItsFirstHalfTwice() {
    #expect(worse(.repeated, "One. Two. Three. Four.") == "One. Two. One. Two.")
    #expect(worse(.otherAnswer) == Self.other)
  }

  @Test func writtenNumbersKeepTheirForm() {
    for text in ["7", "1,234", "1,234,567", "0.5", "2.50", "1,000.25", "27.3"] {
      #expect(WrittenNumber(text)?.text == text)
    }
    #expect(WrittenNumber("12a") == nil)
    #expect(WrittenNumber("") == nil)
  }
}
