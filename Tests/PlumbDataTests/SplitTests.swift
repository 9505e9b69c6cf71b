import Foundation
import PlumbData
import PlumbTestSupport
import PlumbTokenizers
import Testing

@Suite struct SplitTests {
  static func rows(_ count: Int) -> [PromptRow] {
    (0..<count).map { PromptRow(id: "\($0)", source: "own", prompt: [user("question \($0)")]) }
  }

  /// Values from a second implementation, in Python.
  @Test(arguments: [
    ("", 0 as UInt64, 0x69dd_497c_adf9_1c08 as UInt64), ("a", 0, 0x2cda_47b7_4e35_244b),
    ("Grüß Gott", 0, 0x32d8_50be_26ac_c1a8),
    ("a", 7, 0x82d2_a43c_4c95_d44b),
  ])
  func hashIsStable(text: String, seed: UInt64, expected: UInt64) {
    #expect(StableHash.of(text, seed: seed) == expected)
  }

  @Test func sharesAreAsAsked() throws {
    let split = try Split([
      .init("policy", 0.4), .init("reward", 0.3), .init("judge", 0.2), .init("test", 0.1),
    ])
    let parts = split.divide(Self.rows(20_000))
    #expect(parts.values.reduce(0) { $0 + $1.count } == 20_000)
    // Four standard deviations of a binomial with 20,000 draws are below 0.014.
    for part in split.parts {
      expectClose(
        Double(parts[part.name]?.count ?? 0) / 20_000, part.fraction, absolute: 0.014, relative: 0)
    }
  }

  /// Whatever the file, the answer or the order: one prompt, one part.
  @Test func promptsNeverCross() throws {
    let split = try Split.trainValidationTest(seed: 3)
    let pairs = try DataFile.preferencePairs(exampleData("preferences.jsonl.zst")).rows
    let parts = split.divide(pairs)
    let (train, test) = (parts["train"] ?? [], parts["test"] ?? [])
    #expect(!train.isEmpty && !test.isEmpty)
    #expect(Leakage(between: train, and: test).isEmpty)
    #expect(Leakage(between: train, and: parts["validation"] ?? []).isEmpty)
    let prompts = try DataFile.prompts(exampleData("preferences.jsonl.zst")).rows
    for (pair, prompt) in zip(pairs, prompts) {
      #expect(split.part(of: pair) == split.part(of: prompt))
    }
    let followUp = PromptRow(
      id: "x", source: "y",
      prompt: [
        Message(role: "system", content: "s"), user(" \(pairs[0].promptKey)\n"), assistant("a"),
        user("and then?"),
      ])
    #expect(split.part(of: followUp) == split.part(of: pairs[0]))
  }

  @Test func seedsGiveOtherParts() throws {
    let rows = Self.rows(1000)
    let (one, two) = (
      try Split.trainValidationTest(seed: 1), try Split.trainValidationTest(seed: 2)
    )
    let same = rows.count { one.part(of: $0) == two.part(of: $0) }
    #expect(same < 800 && same > 500)
  }

  @Test(arguments: [
    [Split.Part](), [.init("a", 0.5)], [.init("a", 0.5), .init("a", 0.5)],
    [.init("a", 1.5), .init("b", -0.5)], [.init("a", .nan), .init("b", 0.5)],
    [.init("a", 0), .init("b", 1)],
  ])
  func refusesNonsense(parts: [Split.Part]) {
    #expect(throws: DataError.self) { _ = try Split(parts) }
  }

  @Test func leakageIsCounted() {
    let rows = Self.rows(10)
    let leakage = Leakage(
      between: Array(rows[..<6]) + rows[..<1], and: Array(rows[5...]) + rows[..<1])
    #expect(leakage.sharedPrompts == ["question 0", "question 5"])
    #expect(leakage.firstRows == 3 && leakage.secondRows == 2)
    #expect(!leakage.isEmpty)
  }

  /// The files that ship do not overlap in a way that would spoil a held-out set unnoticed.
  @Test func shippedFilesAreRead() throws {
    let demonstrations = try DataFile.demonstrations(exampleData("demonstrations.jsonl.zst"))
    #expect(demonstrations.rows.count == 1585 && demonstrations.report.dropped.isEmpty)
    let pairs = try DataFile.preferencePairs(exampleData("preferences.jsonl.zst"))
    #expect(pairs.rows.count == 4339 && pairs.report.dropped.isEmpty)
    let texts = try DataFile.texts(exampleData("pretraining.jsonl.zst"))
    #expect(texts.rows.count == 7_198 && texts.report.dropped.isEmpty)
  }
}
