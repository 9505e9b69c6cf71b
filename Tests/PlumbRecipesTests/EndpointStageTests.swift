import Foundation
import PlumbCheckpoints
import PlumbTestSupport
import PlumbTokenizers
import Synchronization
import Testing

@testable import PlumbRecipes

/// A program as judge of whole stages: how it is asked does not matter, and its failures lose nothing.
@Suite struct EndpointStageTests {
  typealias Reply = LoopbackServer.Reply

  /// What a judge says that likes politeness and short answers.
  static func scores(_ body: String, broken: (String) -> Bool = { _ in false }) -> Reply {
    let groups = (try? JSONValue(parsing: Array(body.utf8)))?["groups"]?.array ?? []
    let entries = groups.map { group in
      let scores = (group["responses"]?.array ?? []).map { response in
        let text = response.string ?? ""
        return "\((text.hasPrefix("please") ? 1.0 : 0) - 0.01 * Double(text.count))"
      }
      return broken(group["id"]?.string ?? "")
        ? #"{"scores": null}"# : "{\"scores\": [\(scores.joined(separator: ", "))]}"
    }
    return Reply("{\"groups\": [\(entries.joined(separator: ", "))]}")
  }

  private func yaml(
    _ world: TinyWorld, _ server: LoopbackServer, kind: String = "rejection-sampling",
    _ settings: String = ""
  ) -> String {
    GameRecipe.yaml(
      world, kind,
      """
      judge: {endpoint: '\(server.url())', retries: 0, batch_size: 3\(settings)},
          \(GameRecipe.prompts(world)), iterations: 4, prompts_per_iteration: 8, checkpoint_every: 0
      """)
  }

  /// Judge call batching: one prompt in a request or all, the trajectory is the same to the bit.
  @Test(arguments: ["gpo", "rejection-sampling"])
  func requestsOfAnySizeGiveTheSameTrajectory(_ kind: String) throws {
    let world = try TinyWorld.shared()
    let server = try LoopbackServer { body, _ in Self.scores(body) }
    let folders = try [1, 3, 100].map { size in
      let folder = try TemporaryFolder()
      try runTiny(
        yaml(world, server, kind: kind), in: folder.url,
        overrides: ["\(kind).judge.batch_size=\(size)"])
      return folder
    }
    // 8 prompts in 8, 3 and 1 requests, over 4 rounds.
    #expect(server.requests.count == 4 * (8 + 3 + 1))
    for folder in folders.dropFirst() {
      for file in ["metrics.jsonl", "stages/\(kind)/model.safetensors"] {
        #expect(try folder.data(file) == folders[0].data(file), "\(file)")
      }
    }
  }

  /// An endpoint that dies in the middle: the run stops and says so; with the endpoint back it goes on
  /// where it was, and ends in the same bytes.
  ///
  /// The optimisers are in `OnlineBadInputTests`.
  @Test func anEndpointThatDiesLosesNoLabels() throws {
    let world = try TinyWorld.shared()
    let calls = Mutex((count: 0, isDead: false))
    let server = try LoopbackServer { body, _ in
      let dies = calls.withLock { calls in
        calls.count += 1
        return calls.isDead && calls.count > 5
      }
      return dies ? Reply("out of memory", status: 500) : Self.scores(body)
    }
    let yaml = GameRecipe.yaml(
      world, "label-pairs",
      """
      judge: {endpoint: '\(server.url())', retries: 0, batch_size: 3}, max_rows: 30,
          rows_per_step: 8, checkpoint_every: 0, \(GameRecipe.prompts(world))
      """)
    let (straight, interrupted) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(yaml, in: straight.url)
    calls.withLock { $0 = (0, true) }
    do {
      try runTiny(yaml, in: interrupted.url)
      Issue.record("the run did not stop")
    } catch {
      let text = "\(error)"
      #expect(text.contains("expected status 200, found 500") && text.contains("prompt"), "\(text)")
    }
    // The first round is saved, and the responses of the second.
    let sampled = server.requests.count
    calls.withLock { $0 = (0, false) }
    try runTiny(yaml, in: interrupted.url, mode: .resuming)
    #expect(server.requests.count > sampled)
    for file in ["metrics.jsonl", "summary.json", "stages/label-pairs/pairs.jsonl.zst"] {
      #expect(try interrupted.data(file) == straight.data(file), "\(file)")
    }
  }

  /// `on_failure: skip`: a prompt that cannot be judged is left out, warned of and counted.
  @Test(arguments: ["gpo", "rejection-sampling"])
  func promptsThatCannotBeJudgedAreSkippedWhereThatIsAskedFor(_ kind: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let server = try LoopbackServer { body, _ in
      Self.scores(body, broken: { $0.hasSuffix("3") })
    }
    let stops = yaml(world, server, kind: kind)
    do {
      try runTiny(stops, in: folder.url.appending(path: "stops"))
      Issue.record("the run did not stop")
    } catch {
      #expect("\(error)".contains("expected a list of scores, found null"), "\(error)")
    }
    let warnings = Warnings()
    let run = try TemporaryFolder()
    try runTiny(
      yaml(world, server, kind: kind, ", on_failure: skip"), in: run.url, observers: [warnings])
    let skipped = try run.series("judge/skipped_groups", kind)
    let total = skipped.reduce(0, +)
    #expect(skipped.count == 4 && total > 0 && total < 16, "\(skipped)")
    #expect(!warnings.texts.isEmpty)
    let first = warnings.texts.first ?? ""
    #expect(first.contains("left out") && first.contains("3'"), "\(first)")
  }

  /// Every prompt fails: the rounds are empty, and weights stay what they were.
  @Test func roundsWithoutAnyJudgementTeachNothing() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let server = try LoopbackServer { body, _ in Self.scores(body, broken: { _ in true }) }
    try runTiny(yaml(world, server, ", on_failure: skip"), in: folder.url)
    #expect(try folder.series("judge/skipped_groups", "rejection-sampling") == [8, 8, 8, 8])
    let file = "stages/rejection-sampling/model.safetensors"
    let start = try Data(
      contentsOf: URL(filePath: world("sft")).appending(path: "model.safetensors"))
    #expect(try folder.data(file) == start)
  }
}

/// Input on which an on-line stage could stumble.
@Suite struct GameBadInputTests {
  @Test func labelsThatSayNothingAreRefused() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    do {
      try runTiny(
        GameRecipe.yaml(
          world, "label-pairs",
          """
          judge: {rule: regex, pattern: 'no such answer'}, prompts: ['\(world.data("prompts.jsonl"))'],
              max_rows: 4, sampling: {max_new_tokens: 8}
          """), in: folder.url)
      Issue.record("nothing was refused")
    } catch {
      #expect(
        "\(error)".contains("of 4 rows, the judge tells no two responses far enough apart"),
        "\(error)")
    }
  }

  /// Prompts that just fit are played, longer ones left out with a warning.
  @Test(arguments: ["gpo", "rejection-sampling", "label-pairs"])
  func promptsAtTheLimitOfTheContextArePlayed(_ kind: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    var rows = ""
    var lengths: [Int] = []
    for count in 1...120 {
      let text = String(repeating: "lamp ", count: count) + "?"
      let length = encoder.prompt([Message(role: "user", content: text)]).count
      guard (110...128).contains(length) else { continue }
      lengths.append(length)
      rows += "{\"prompt\": \"\(text)\"}\n"
    }
    let url = folder.url.appending(path: "edge.jsonl")
    try Data(rows.utf8).write(to: url)
    // 128 positions, 8 new tokens, two end marks that a model reads and a rule does not.
    let (judges, limits) = (["'\(world("preference"))'", "{rule: count, pattern: a}"], [118, 118])
    for (number, (judge, limit)) in zip(judges, limits).enumerated() {
      let warnings = Warnings()
      let rounds =
        kind == "label-pairs" ? "rows_per_step: 4" : "iterations: 2, prompts_per_iteration: 4"
      try runTiny(
        GameRecipe.yaml(
          world, kind,
          """
          judge: \(judge), prompts: ['\(url.path)'], \(rounds),
              sampling: {max_new_tokens: 8, temperature: 1.5}
          """), in: folder.url.appending(path: "run-\(number)"), observers: [warnings])
      let tooLong = lengths.count { $0 > limit }
      let texts = warnings.texts.filter { $0.hasPrefix("\(tooLong) prompts left out") }
      #expect(tooLong > 0 && texts.count == 1, "\(warnings.texts)")
    }
  }
}
