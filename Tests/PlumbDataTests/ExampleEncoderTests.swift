import Foundation
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbData

@Suite struct ExampleEncoderTests {
  static func ids(_ tokens: [Int]) -> [Int32] { tokens.map(Int32.init) }

  @Test func pairsAsGroups() throws {
    let pairs = try DataFile.preferencePairs(fixture("pair-messages.jsonl")).rows
    for template in ChatTemplate.allCases {
      let encoder = try makeEncoder(template)
      let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: 512))
      let (groups, report) = examples.groups(of: pairs, form: .generated)
      #expect(groups.map(\.example) == [0, 1])
      #expect(groups[1].prompt == Self.ids(encoder.prompt(pairs[1].prompt)))
      #expect(groups[1].responses[0] == Self.ids(encoder.response(pairs[1].chosen)))
      #expect(groups[1].responses[1] == Self.ids(encoder.response(pairs[1].rejected)))
      #expect(report.kept == 2 && report.promptsCut == 0 && report.responsesCut == 0)
      #expect(report.tokens == groups.reduce(0) { $0 + $1.tokenCount })
      let scored = examples.groups(of: pairs, form: .scored).groups
      for response in scored.flatMap(\.responses) {
        #expect(response.last == Int32(encoder.endOfText))
      }
    }
  }

  @Test func cutsAreCountedAndKeepTheEndMarks() throws {
    let encoder = try makeEncoder()
    let long = (0..<200).map { "word\($0)" }.joined(separator: " ")
    let pair = PreferencePair(
      id: "1", source: "own", prompt: [user(long)], chosen: long + " a", rejected: "short")
    let limits = try TokenLimits(context: 100, prompt: 30, response: 40)
    let (groups, report) = ExampleEncoder(encoder, limits: limits).groups(of: [pair], form: .scored)
    #expect(report.promptsCut == 1 && report.responsesCut == 1 && report.kept == 1)
    let group = try #require(groups.first)
    let whole = encoder.scored(prompt: pair.prompt, response: pair.chosen)
    #expect(group.prompt == Self.ids(whole.prompt.suffix(30)), "the prompt loses its beginning")
    #expect(group.responses[0].count == 40)
    #expect(group.responses[0].prefix(38) == Self.ids(Array(whole.response.prefix(38)))[...])
    #expect(group.responses[0].suffix(2) == Self.ids(Array(whole.response.suffix(2)))[...])
    let generated = ExampleEncoder(encoder, limits: limits).groups(of: [pair], form: .generated)
    #expect(generated.groups[0].responses[0] == Self.ids(Array(whole.response.prefix(40))))
  }

  @Test func longOnesCanBeDropped() throws {
    let encoder = try makeEncoder()
    let pairs = try DataFile.preferencePairs(fixture("pair-messages.jsonl")).rows
    let longest = pairs.map { pair in
      encoder.prompt(pair.prompt).count
        + max(encoder.response(pair.chosen).count, encoder.response(pair.rejected).count)
    }
    let limits = try TokenLimits(context: max(longest[0], longest[1]) - 1, policy: .drop)
    let (groups, report) = ExampleEncoder(encoder, limits: limits).groups(
      of: pairs, form: .generated)
    #expect(groups.count == 1 && report.dropped == ["too long": 1])
  }

  @Test func pairsThatACutMakesEqualAreDropped() throws {
    let pair = PreferencePair(
      id: "1", source: "own", prompt: [user("q")], chosen: "one two three four five six seven",
      rejected: "one two three four five six eight")
    let limits = try TokenLimits(context: 64, response: 4)
    let (groups, report) = ExampleEncoder(try makeEncoder(), limits: limits)
      .groups(of: [pair], form: .generated)
    #expect(groups.isEmpty && report.dropped == ["identical responses after the cut": 1])
  }

  @Test func everyAnswerOfAConversationCanBeATarget() throws {
    let encoder = try makeEncoder()
    let row = try DataFile.demonstrations(fixture("demo-messages.jsonl")).rows[0]
    let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: 512))
    let last = PackedBatch(examples.groups(of: [row], turns: .last).groups)
    #expect(last.targets == Self.ids(encoder.response("Goodbye!")))
    let all = PackedBatch(examples.groups(of: [row], turns: .all).groups)
    #expect(all.tokens == last.tokens)
    #expect(
      all.targets == Self.ids(encoder.response("Hello!")) + Self.ids(encoder.response("Goodbye!")))
  }

  @Test func longConversationsKeepAnAnswer() throws {
    let encoder = try makeEncoder()
    let turns = (0..<20).flatMap { [user("question \($0)?"), assistant("answer \($0).")] }
    let row = Demonstration(id: "1", source: "own", messages: turns)
    for context in [8, 16, 40, 100] {
      let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: context))
      let (groups, report) = examples.groups(of: [row], turns: .all)
      let batch = PackedBatch(groups)
      #expect(batch.tokens.count == context && report.promptsCut == 1)
      #expect(!batch.targets.isEmpty)
    }
    let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: 40, policy: .drop))
    #expect(examples.groups(of: [row], turns: .all).report.dropped == ["too long": 1])
  }

  @Test func textsAreTargetsOnceEach() throws {
    let encoder = try makeEncoder()
    let rows = try DataFile.texts(fixture("texts.jsonl")).rows
    for context in [2, 3, 7, 512] {
      let examples = ExampleEncoder(encoder, limits: try TokenLimits(context: context))
      let (groups, report) = examples.groups(of: rows)
      #expect(report.kept == 2)
      #expect(groups.allSatisfy { $0.tokenCount <= context })
      let batch = PackedBatch(groups)
      let text = encoder.response("A first text.\nWith two lines.").dropLast() + [encoder.endOfText]
      let turns = encoder.scored(prompt: [user("Why?")], response: "Because.")
      #expect(batch.targets == Self.ids(text + turns.prompt + turns.response))
      #expect(groups[0].prompt == [Int32(encoder.endOfText)])
    }
  }

  /// What a person wrote never becomes a marker.
  @Test func markersInTextStayText() throws {
    let encoder = try makeEncoder()
    let row = TextRow(id: "1", source: "own", content: .text("a<|im_end|>b<|endoftext|>c"))
    let group = try #require(
      ExampleEncoder(encoder, limits: try TokenLimits(context: 512)).groups(of: [row]).groups.first)
    let inside = Set(group.responses[0].dropLast())
    #expect(inside.isDisjoint(with: encoder.stopTokens.map(Int32.init)))
  }

  @Test func limitsFitEverything() throws {
    withEvery("context", in: [2, 3, 10, 17]) { context in
      withEvery("prompt", in: [0, 1, 5, 40]) { prompt in
        withEvery("response", in: [1, 4, 40]) { response in
          let limits = try TokenLimits(context: context)
          let fitted = try #require(
            limits.fit(
              Array(0..<Int32(prompt)), [Array(100..<Int32(100 + response)), [7]], keepingLast: 2))
          for cut in fitted.responses {
            #expect(!cut.isEmpty && fitted.prompt.count + cut.count <= context)
          }
          #expect(prompt == 0 || !fitted.prompt.isEmpty)
          #expect(fitted.responses[0].last == Int32(99 + response), "the end mark survives")
          if prompt + response <= context {
            #expect(!fitted.promptWasCut && !fitted.responseWasCut)
          }
        }
      }
    }
  }

  @Test func nonsensicalLimitsAreRefused() {
    #expect(throws: DataError.self) { _ = try TokenLimits(context: 1) }
    #expect(throws: DataError.self) { _ = try TokenLimits(context: 9, prompt: 0) }
    #expect(throws: DataError.self) { _ = try TokenLimits(context: 9, response: -1) }
  }
}
