import Foundation
import PlumbData
import PlumbModels
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Rows on which the stages `dpo` and `kto` could stumble.
@Suite struct PairBadInputTests {
  /// A stage that reads answers, and what its rows and batches are called.
  enum Method: String, CaseIterable, Sendable, CustomTestStringConvertible {
    case dpo
    case kto

    var testDescription: String { rawValue }
    /// The setting for files.
    var files: String { self == .dpo ? "pairs" : "rows" }
    /// The setting for the rows of a step.
    var batch: String { self == .dpo ? "batch_pairs" : "batch_rows" }
    /// The figure that counts rows.
    var count: String { self == .dpo ? "train_pairs" : "train_rows" }
  }

  let world: TinyWorld
  init() throws { world = try TinyWorld.shared() }

  /// A row with an answer, or with a better and a worse one.
  private func row(
    _ method: Method, _ prompt: String, _ good: String, _ bad: String, isGood: Bool = true
  ) -> String {
    method == .dpo
      ? #"{"prompt": "\#(prompt)", "chosen": "\#(good)", "rejected": "\#(bad)"}"#
      : #"{"prompt": "\#(prompt)", "completion": "\#(isGood ? good : bad)", "label": \#(isGood)}"#
  }

  /// Eight rows to learn from.
  private func usable(_ method: Method) -> [String] {
    TinyData.tasks.prefix(8).enumerated().map { index, task in
      row(
        method, "how do i \(task)?", TinyData.answer("please", task, index),
        TinyData.answer("just", task, index), isGood: index.isMultiple(of: 2))
    }
  }

  private func run(
    _ method: Method, _ rows: [String], maxLength: Int = 64, _ more: String = ""
  ) throws -> TinyStage {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "answers.jsonl")
    try Data(rows.map { $0 + "\n" }.joined().utf8).write(to: file)
    return try TinyStage(
      method.rawValue,
      "policy: '\(world("sft"))', \(method.files): ['\(file.path)'], \(method.batch): 4, "
        + "max_length: \(maxLength), "
        + "optimizer: {learning_rate: 0.001, schedule: constant, warmup_fraction: 0}\(more)")
  }

  /// Rows that the stage says it trained on.
  private func trained(_ method: Method, _ stage: TinyStage) throws -> Double? {
    let url = stage.folder.url
      .appending(path: "stages/\(method.rawValue)/\(RunLayout.stageRecordName)")
    let record = try #require(try RunFiles.read(json: StageRecord.self, from: url))
    return record.result.figures[method.count]?.value
  }

  private func expectFinite(
    _ method: Method, _ stage: TinyStage, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let losses = try stage.series("loss")
    let areFinite = !losses.isEmpty && losses.allSatisfy(\.isFinite)
    #expect(areFinite, "\(losses)", sourceLocation: sourceLocation)
    let folder = stage.folder.url.appending(path: "stages/\(method.rawValue)")
    let isFinite = weights(try CausalLM(directory: folder)).allSatisfy(\.isFinite)
    #expect(isFinite, "a weight is not finite", sourceLocation: sourceLocation)
  }

  /// What a run of rows is refused with.
  private func refusal(_ method: Method, _ rows: [String]) -> String {
    do {
      _ = try run(method, rows)
    } catch { return "\(error)" }
    Issue.record("nothing was refused")
    return ""
  }

  /// An empty answer is left out wherever it stands: the stage ends in the weights that it would have
  /// without the row.
  @Test(arguments: Method.allCases)
  func emptyAnswersAreLeftOut(_ method: Method) throws {
    let good = usable(method)
    let bad = [
      row(method, "how?", "", "so", isGood: true), row(method, "why?", "so", "", isGood: false),
      row(method, "when?", "  ", "so", isGood: true),
    ]
    let (plain, mixed) = (
      try run(method, good),
      try run(method, [bad[0]] + good.prefix(3) + bad.dropFirst() + good.dropFirst(3))
    )
    #expect(try trained(method, plain) == 8)
    #expect(try trained(method, mixed) == 8)
    let isSame = try plain.weights == mixed.weights
    #expect(isSame, "an empty answer changed the weights")
    let text = refusal(method, bad)
    #expect(text.contains("answers.jsonl") && text.contains("no usable row"), "\(text)")
  }

  /// Pairs of equal answers show nothing, whichever method reads them.
  @Test(arguments: Method.allCases)
  func pairsOfEqualAnswersAreRefused(_ method: Method) {
    let pairs = (0..<3).map { row(.dpo, "how \($0)?", "so", $0 == 0 ? "so" : " so ") }
    let text = refusal(method, pairs)
    #expect(text.contains("answers.jsonl") && text.contains("no usable row"), "\(text)")
  }

  /// The same answer to every prompt, good to some and bad to others: ordinary for KTO, whose first step
  /// loses half of every row's weight.
  @Test func oneAnswerToEveryPromptIsOrdinaryForKTO() throws {
    let rows = TinyData.tasks.prefix(8).enumerated().map { index, task in
      row(.kto, "how do i \(task)?", "please do", "please do", isGood: index.isMultiple(of: 2))
    }
    let stage = try run(.kto, rows, ", epochs: 2")
    #expect(try stage.series("loss").count == 4)
    expectClose(try #require(stage.series("loss").first), 0.5, absolute: 1e-4)
    try expectFinite(.kto, stage)
  }

  /// The same chosen and the same rejected answer to every prompt.
  @Test func onePairOfAnswersToEveryPromptIsOrdinaryForDPO() throws {
    let rows = TinyData.tasks.prefix(8).map { row(.dpo, "how do i \($0)?", "please do", "no") }
    let stage = try run(.dpo, rows, ", epochs: 2")
    #expect(try stage.series("loss").count == 4)
    expectClose(try #require(stage.series("loss").first), log(2), absolute: 1e-3)
    try expectFinite(.dpo, stage)
  }

  /// Rows that fill the context to the last position are trained on, and those of one token more are not.
  @Test(arguments: Method.allCases)
  func rowsAtTheLimitOfTheContextAreRead(_ method: Method) throws {
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    let answers = ["please do", "now"]
    let longest = answers.map { encoder.response($0).count }.max() ?? 0
    var prompts: [Int: String] = [:]
    for (count, end) in (1...120).flatMap({ count in ["?", "? ?", "a ?"].map { (count, $0) } }) {
      let text = String(repeating: "lamp ", count: count) + end
      let length = encoder.prompt([Message(role: "user", content: text)]).count + longest
      prompts[length] = text
    }
    // The model has 128 positions. The longer answer decides, so for KTO all rows have it.
    let answer = answers.first { encoder.response($0).count == longest } ?? ""
    func rows(_ lengths: ClosedRange<Int>) throws -> [String] {
      try lengths.map { length in
        let prompt = try #require(prompts[length], "no prompt of \(length) tokens")
        return method == .dpo
          ? row(method, prompt, answers[0], answers[1])
          : row(method, prompt, answer, answer, isGood: length.isMultiple(of: 2))
      }
    }
    let all = try run(method, try rows(125...131), maxLength: 128)
    #expect(try trained(method, all) == 4)
    try expectFinite(method, all)
    let fitting = try run(method, try rows(125...128), maxLength: 128)
    let isSame = try all.weights == fitting.weights
    #expect(isSame, "a row that is too long changed the weights")
  }
}
