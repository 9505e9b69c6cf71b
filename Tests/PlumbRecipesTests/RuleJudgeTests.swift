import Foundation
import PlumbData
import PlumbPreferences
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Rules of a recipe, scored by hand.
@Suite struct RuleJudgeTests {
  private func scores(
    _ responses: [String], answer: String? = nil, _ change: (inout RuleJudgeConfiguration) -> Void
  ) throws -> [Double] {
    var configuration = RuleJudgeConfiguration()
    change(&configuration)
    try configuration.validate()
    var group = JudgeGroup(
      prompt: [Message(role: "user", content: "?")], responses: responses,
      tokens: PreferenceGroup(
        // One token for each word, and two end marks that the policy did not write.
        prompt: [1],
        responses: responses.map { text in
          Array(repeating: 5, count: text.split(separator: " ").count) + [8, 9]
        }))
    group.id = "p1"
    group.answer = answer
    return try configuration.judge(ending: 2).judge(groups: [group])[0].scores ?? []
  }

  @Test func aPatternIsFoundOrCounted() throws {
    let texts = ["please do", "do it, please", "a a a", ""]
    let found = try scores(texts) { $0.pattern = "^please" }
    #expect(found == [1, 0, 0, 0])
    let counted = try scores(texts) {
      $0.rule = .count
      $0.pattern = #"\ba\b"#
      $0.limit = 2
      $0.weight = -0.5
    }
    #expect(counted == [0, 0, -1, 0])
  }

  @Test func lengthsAreHeldAgainstTheTarget() throws {
    let texts = ["", "abc", "ab cd ef", "héllo 👋🏽"]
    let near = try scores(texts) {
      $0.rule = .lengthTarget
      $0.target = 3
    }
    #expect(near == [-3, 0, -5, -4])
    let tokens = try scores(texts) {
      $0.rule = .lengthPenalty
      $0.unit = .tokens
      $0.target = 1
      $0.weight = 10
    }
    #expect(tokens == [0, 0, -20, -10])
  }

  /// GSM8K: the number behind `####` or the last one, whatever its form.
  @Test(arguments: [
    ("The total is 72.", true), ("72", true), ("so 70 + 2 = 72", true), ("#### 72\n", true),
    ("#### 72 dollars, not 5", true), ("$72.00", true), ("It is 72 and not 73", false),
    ("-72", false), ("17-72", true), ("(17)-72", true), ("no number", false), ("", false),
    ("7 2", false), ("72,", true), ("x = 172", false), ("72%", true),
  ])
  func theAnswerIsTheLastNumber(_ response: String, isRight: Bool) throws {
    let solution = "Natalia sold 48/2 = <<48/2=24>>24 clips.\n#### 72"
    let found = try scores([response], answer: solution) { $0.rule = .exactMatch }
    #expect(found == [isRight ? 1 : 0])
  }

  @Test func numbersAreComparedByValueAndTextsAsText() throws {
    let exact: (inout RuleJudgeConfiguration) -> Void = { $0.rule = .exactMatch }
    let thousands = try scores(["1,234.50", "$1234.5", "12345"], answer: "1234.5", exact)
    #expect(thousands == [1, 1, 0])
    let negative = try scores(["It is -3.", "It is −3.", "3"], answer: "#### -3", exact)
    #expect(negative == [1, 1, 0])
    let words = try scores([" paris. ", "Paris, France", "London"], answer: "Paris", exact)
    #expect(words == [1, 0, 0])
  }

  /// A decimal may begin with its point; behind a letter, digit or bracket a point is none of a number's.
  @Test func aNumberMayBeginWithItsPoint() throws {
    let texts = [".5", "$.50", "It is 0.5.", "5", "$50", "-.5", "1.5", "17-.5"]
    let exact: (inout RuleJudgeConfiguration) -> Void = { $0.rule = .exactMatch }
    // What was read as 5 or 50 is a half: right where that is the answer, and wrong for 5 and for 50.
    let half = try scores(texts, answer: "#### .5", exact)
    #expect(half == [1, 1, 1, 0, 0, 0, 0, 1])
    let five = try scores(texts, answer: "5", exact)
    #expect(five == [0, 0, 0, 1, 0, 0, 0, 0])
    let fifty = try scores(texts, answer: "#### $50", exact)
    #expect(fifty == [0, 0, 0, 0, 1, 0, 0, 0])
    let below = try scores(["-.25", "−.25", "-$.25", ".25", "25"], answer: "-0.25", exact)
    #expect(below == [1, 1, 1, 0, 0])
    let others = try scores(["see fig.5", "(a).5", "so ...5", "release 1.2.5"], answer: "5", exact)
    #expect(others == [1, 1, 1, 1])
  }

  @Test func aPatternSaysWhereTheAnswerStands() throws {
    let found = try scores(
      ["Answer: B because 5", "Answer: A. Answer: B", "Answer: C", "B"], answer: "B"
    ) {
      $0.rule = .exactMatch
      $0.pattern = #"Answer: (\w)"#
    }
    #expect(found == [1, 1, 0, 0])
  }

  @Test func aPromptWithoutAKnownAnswerIsNamed() {
    #expect(
      throws: PreferenceError.answerNeeded(
        judge: "rule exact-match", row: 0, prompt: "p1")
    ) {
      try scores(["72"]) { $0.rule = .exactMatch }
    }
  }

  /// GSM8K's own rows, and rows that a program wrote, carry their answers to the prompts.
  @Test func answersComeWithThePrompts() throws {
    let folder = try TemporaryFolder()
    let raw = folder.url.appending(path: "gsm8k.jsonl")
    try Data(
      #"""
      {"question": "How many?", "answer": "24 + 48 = 72\n#### 72"}
      {"prompt": "How many more?", "answer": 5}
      {"prompt": "Write a poem."}

      """#.utf8
    ).write(to: raw)
    let rows = try DataFile.prompts(raw).rows
    let answers = rows.map(\.answer)
    #expect(answers == ["24 + 48 = 72\n#### 72", "5", nil])
    let copy = folder.url.appending(path: "copy.jsonl")
    try DataFile.write(rows, to: copy)
    #expect(try DataFile.prompts(copy).rows == rows)
  }
}
