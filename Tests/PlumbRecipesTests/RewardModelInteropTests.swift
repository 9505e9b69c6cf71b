import Foundation
import PlumbCheckpoints
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Reward model folders of other programs, and ours in theirs (`Tests/Fixtures/interop`).
@Suite struct RewardModelInteropTests {
  struct Cases: Decodable {
    struct Conversation: Codable {
      var prompt: [Message]
      var response: String
    }
    struct Answer: Decodable {
      var tokens: [Int]
      var score: Double
    }
    var conversations: [Conversation]
    var worldpm: [Answer]
    var classifier: [Answer]
  }

  let cases: Cases
  let folder: TemporaryFolder

  init() throws {
    cases = try JSONDecoder().decode(
      Cases.self, from: Data(contentsOf: Fixtures.url("interop/scores.json")))
    folder = try TemporaryFolder()
    for name in ["worldpm", "classifier"] {
      let copy = folder.url.appending(path: name)
      try FileManager.default.copyItem(at: Fixtures.url("interop/\(name)"), to: copy)
      try FileManager.default.copyItem(
        at: Fixtures.url("golden/tokenizers/qwen2_style.json"),
        to: copy.appending(path: "tokenizer.json"))
    }
  }

  /// Ids and scores of all conversations by the model of a folder.
  func answers(_ name: String) throws -> (tokens: [[Int]], scores: [Double]) {
    let url = folder.url.appending(path: name)
    let encoder = try ConversationEncoder.load(from: url)
    let groups = cases.conversations.map { row in
      let ids = encoder.scored(prompt: row.prompt, response: row.response)
      return PreferenceGroup(
        prompt: ids.prompt.map(Int32.init), responses: [ids.response.map(Int32.init)])
    }
    let scores = try RewardModel(directory: url).rawScores(groups: groups).map { Double($0[0]) }
    return (groups.map { ($0.prompt + $0.responses[0]).map(Int.init) }, scores)
  }

  func expectAnswers(_ name: String, _ expected: [Cases.Answer]) throws {
    let found = try answers(name)
    for (index, answer) in expected.enumerated() {
      #expect(found.tokens[index] == answer.tokens, "\(name), conversation \(index)")
      expectClose(found.scores[index], answer.score, absolute: 2e-5, relative: 1e-5)
    }
  }

  /// The empty system turn stays, `<|endoftext|>` stands right behind the end of the answer's turn,
  /// and its hidden state is the one that is read.
  @Test func worldPMsFolderScoresAsInPyTorch() throws {
    try expectAnswers("worldpm", cases.worldpm)
    let ids = cases.worldpm[0].tokens
    #expect(Array(ids.suffix(2)) == [2, 0])
    #expect(ids.first == 1)
  }

  /// A classifier of another program reads behind the template's newline; nothing is appended.
  @Test func aSequenceClassifierOfTRLScoresAsInPyTorch() throws {
    try expectAnswers("classifier", cases.classifier)
    #expect(cases.classifier.allSatisfy { !$0.tokens.contains(0) })
  }

  /// What is written answers as what was read, is read again the same way, and tells transformers
  /// all that its own class needs: one label, and a padding token that is never the one to read.
  @Test(arguments: ["worldpm", "classifier"])
  func whatIsSavedScoresTheSame(_ name: String) throws {
    let source = folder.url.appending(path: name)
    let copy = folder.url.appending(path: "\(name)-saved")
    try RewardModel(directory: source).write(
      to: copy, encoder: ConversationEncoder.load(from: source))
    try expectAnswers("\(name)-saved", name == "worldpm" ? cases.worldpm : cases.classifier)
    let config = try JSONDecoder().decode(
      WrittenConfiguration.self, from: Data(contentsOf: copy.appending(path: "config.json")))
    #expect(config.num_labels == 1)
    #expect(config.pad_token_id == (name == "worldpm" ? nil : 1))
    let file = try SafetensorsFile(contentsOf: copy.appending(path: "model.safetensors"))
    let original = try SafetensorsFile(contentsOf: source.appending(path: "model.safetensors"))
    #expect(Set(file.names) == Set(original.names))
    for tensor in file.names {
      #expect(try file.floats(named: tensor) == original.floats(named: tensor), "\(tensor)")
    }
  }

  /// A classifier that Plumb trained reads at the end of text, and says so in the folder.
  @Test func aClassifierOfOurOwnReadsAtTheEndOfText() throws {
    let source = folder.url.appending(path: "classifier")
    let read = try ConversationEncoder.load(from: source)
    #expect(read.scoredEnding == .turn)
    let own = try ConversationEncoder(tokenizer: read.tokenizer, template: .chatML)
    let copy = folder.url.appending(path: "own")
    try RewardModel(directory: source).write(to: copy, encoder: own)
    let again = try ConversationEncoder.load(from: copy)
    #expect(again.scoredEnding == .endOfText)
    #expect(again.scored(prompt: [], response: "a").response.suffix(2) == [2, 0])
    try expectPyTorchAgrees("own")
  }

  /// The same scores by PyTorch, where `PLUMB_PYTHON` names a Python that has it.
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["PLUMB_PYTHON"] != nil),
    arguments: ["worldpm", "classifier"])
  func pyTorchGivesWhatIsSavedTheSameScores(_ name: String) throws {
    let source = folder.url.appending(path: name)
    try RewardModel(directory: source).write(
      to: folder.url.appending(path: "\(name)-saved"),
      encoder: ConversationEncoder.load(from: source))
    try expectPyTorchAgrees("\(name)-saved")
  }

  func expectPyTorchAgrees(_ name: String) throws {
    guard let python = ProcessInfo.processInfo.environment["PLUMB_PYTHON"] else { return }
    let rows = folder.url.appending(path: "rows.jsonl")
    let lines = try cases.conversations.map {
      String(decoding: try JSONEncoder().encode($0), as: UTF8.self) + "\n"
    }
    try lines.joined().write(to: rows, atomically: true, encoding: .utf8)
    let process = Process()
    process.executableURL = URL(filePath: python)
    process.arguments = [
      Fixtures.root.appending(path: "../../examples/score_in_pytorch.py").path,
      folder.url.appending(path: name).path,
    ]
    process.standardInput = try FileHandle(forReadingFrom: rows)
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let answers = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    let scores = try String(decoding: answers, as: UTF8.self).split(separator: "\n").map {
      try JSONDecoder().decode([String: Double].self, from: Data($0.utf8))["score"] ?? .nan
    }
    let ours = try self.answers(name).scores
    #expect(scores.count == ours.count)
    for (theirs, own) in zip(scores, ours) {
      expectClose(own, theirs, absolute: 2e-5, relative: 1e-5)
    }
  }
}

private struct WrittenConfiguration: Decodable {
  var num_labels: Int?
  var pad_token_id: Int?
}
