import Foundation
import PlumbModels
import PlumbPreferences
import PlumbTestSupport
import PlumbTokenizers
import Synchronization
import Testing

@testable import PlumbRecipes

/// Bad judges, responses and prompts, for every on-line optimiser alike.
///
/// `EndpointStageTests` has the same for requests of all sizes and for the labelling of pairs.
@Suite struct OnlineBadInputTests {
  typealias Reply = LoopbackServer.Reply

  let world: TinyWorld
  init() throws { world = try TinyWorld.shared() }

  /// PPO would ask its judge about samples of the reference first.
  private func plain(_ optimiser: OnlineOptimiser) -> String {
    optimiser == .ppo ? ", normalize_rewards: false" : ""
  }

  /// A round, or some, of 4 prompts with 4 short responses each.
  private func yaml(
    _ optimiser: OnlineOptimiser, _ server: LoopbackServer, rounds: Int = 1, _ settings: String = ""
  ) -> String {
    optimiser.yaml(
      world, judge: "{endpoint: '\(server.url())', retries: 0\(settings)}", rounds: rounds,
      sampling: "max_new_tokens: 4, temperature: 1.5", plain(optimiser))
  }

  /// What a run ends with.
  private func failure(_ yaml: String, in folder: TemporaryFolder) -> String {
    do {
      try runTiny(yaml, in: folder.url)
    } catch { return "\(error)" }
    Issue.record("the run did not stop")
    return ""
  }

  /// The responses of the first round wait for a judge.
  private func expectSaved(
    _ optimiser: OnlineOptimiser, _ folder: TemporaryFolder,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let file = "stages/\(optimiser.kind)/checkpoints/step-000000/rollouts.jsonl.zst"
    #expect(folder.exists(file), "\(file)", sourceLocation: sourceLocation)
  }

  /// One round without any judgement: counted, warned of once, and nothing is learnt.
  private func expectNothingLearnt(
    _ optimiser: OnlineOptimiser, _ yaml: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let (folder, warnings) = (try TemporaryFolder(), Warnings())
    try runTiny(yaml, in: folder.url, observers: [warnings])
    let skipped = try folder.series("judge/skipped_groups", optimiser.kind)
    let asked = try folder.series("judge/responses", optimiser.kind)
    let counts = [skipped, asked]
    #expect(counts == [[4], [16]], sourceLocation: sourceLocation)
    let told = warnings.texts.count { $0.contains("4 of 4 prompts are left out") }
    #expect(told == 1, "\(warnings.texts)", sourceLocation: sourceLocation)
    let (start, end) = (
      try CausalLM(directory: URL(filePath: world("sft"))),
      try CausalLM(directory: folder.url.appending(path: "stages/\(optimiser.kind)"))
    )
    let isSame = weights(start) == weights(end)
    #expect(isSame, "the policy moved", sourceLocation: sourceLocation)
  }

  // MARK: Endpoints

  /// Dead in the second round and back again: the responses are judged, not sampled again, and the end is
  /// that of a run that was left alone.
  @Test(arguments: OnlineOptimiser.allCases)
  func anEndpointThatDiesLosesNothing(_ optimiser: OnlineOptimiser) throws {
    let state = Mutex((count: 0, isDying: false))
    let server = try LoopbackServer { body, _ in
      let isDead = state.withLock { state in
        state.count += 1
        return state.isDying && state.count > 5
      }
      return isDead ? Reply("out of memory", status: 500) : EndpointStageTests.scores(body)
    }
    let recipe = yaml(optimiser, server, rounds: 2, ", batch_size: 1")
    let (straight, interrupted) = (try TemporaryFolder(), try TemporaryFolder())
    try runTiny(recipe, in: straight.url)
    state.withLock { $0 = (0, true) }
    let text = failure(recipe, in: interrupted)
    #expect(text.contains("expected status 200, found 500") && text.contains("prompt '"), "\(text)")
    state.withLock { $0 = (0, false) }
    try runTiny(recipe, in: interrupted.url, mode: .resuming)
    // A request for each prompt: two rounds, one round and a half, and the second round again.
    let (asked, expected) = (server.requests.count, 8 + 6 + 4)
    #expect(asked == expected)
    for file in ["metrics.jsonl", "summary.json", "stages/\(optimiser.kind)/model.safetensors"] {
      let isSame = try interrupted.data(file) == straight.data(file)
      #expect(isSame, "\(file)")
    }
  }

  /// An answer a second late: the run stops, or goes on without those prompts.
  @Test(arguments: OnlineOptimiser.allCases)
  func anEndpointThatIsTooLateIsNotWaitedFor(_ optimiser: OnlineOptimiser) throws {
    /// One that is still busy with the run before would be late for another reason.
    func lateServer() throws -> LoopbackServer {
      try LoopbackServer { body, _ in
        var reply = EndpointStageTests.scores(body)
        reply.delay = 1
        return reply
      }
    }
    let (first, second, folder) = (try lateServer(), try lateServer(), try TemporaryFolder())
    let text = failure(yaml(optimiser, first, ", timeout: 0.2"), in: folder)
    #expect(text.contains("no answer within 0.2 seconds in 1 attempt"), "\(text)")
    #expect(text.contains("4 prompts, '"), "\(text)")
    expectSaved(optimiser, folder)
    try expectNothingLearnt(
      optimiser, yaml(optimiser, second, ", timeout: 0.2, on_failure: skip"))
  }

  /// Answers of status 200 that are none, and what the error calls them.
  private static let garbage: [(answer: @Sendable (String) -> String, complaint: String)] = [
    ({ _ in "<html>busy</html>" }, "expected JSON"),
    ({ _ in "" }, "expected JSON"),
    ({ _ in #"{"groups": []}"# }, "expected a judgement on each of 1 groups, found 0"),
    ({ _ in #"{"groups": [{"score": 1}]}"# }, "expected scores, preference_logits"),
    ({ $0.replacing("[{\"scores\": [", with: "[{\"scores\": [7, ") }, "one for each response"),
    ({ $0.replacing(/-?\d+\.\d+/, with: "NaN") }, "expected finite numbers in scores"),
    ({ _ in #"{"groups": [{"scores": "high"}]}"# }, "expected a list of scores"),
  ]

  @Test(arguments: OnlineOptimiser.allCases)
  func garbageOfAnEndpointIsNamed(_ optimiser: OnlineOptimiser) throws {
    for (answer, complaint) in Self.garbage {
      let folder = try TemporaryFolder()
      let server = try LoopbackServer { body, _ in
        Reply(answer(EndpointStageTests.scores(body).body))
      }
      let text = failure(yaml(optimiser, server, ", batch_size: 1"), in: folder)
      #expect(text.contains(complaint) && text.contains("prompt '"), "\(complaint): \(text)")
      // The other prompts are not asked about.
      #expect(server.requests.count == 1, "\(complaint)")
      expectSaved(optimiser, folder)
    }
    // Another one of the last four for every prompt, all of which are left out.
    let server = try LoopbackServer { body, number in
      Reply(Self.garbage[3 + number % 4].answer(EndpointStageTests.scores(body).body))
    }
    try expectNothingLearnt(
      optimiser, yaml(optimiser, server, ", batch_size: 1, on_failure: skip"))
    #expect(server.requests.count == 4)
  }

  /// Scores cannot be brought to mean 0 and variance 1 where there are none.
  @Test(arguments: OnlineOptimiser.allCases.filter(\.needsScores))
  func withoutAnyScoreNothingIsNormalised(_ optimiser: OnlineOptimiser) throws {
    let (server, folder) = (try LoopbackServer { _, _ in Reply("busy") }, try TemporaryFolder())
    let judge = "{endpoint: '\(server.url())', retries: 0, on_failure: skip}"
    let recipe = optimiser.yaml(world, judge: judge, ", normalize_rewards: true")
    #expect(
      throws: PreferenceError.degenerateNormalisation(samples: 0, standardDeviation: 0)
    ) { try runTiny(recipe, in: folder.url) }
  }

  // MARK: Responses and prompts

  /// Responses that are empty at once: rules and models judge them, and the stage learns.
  @Test(arguments: OnlineOptimiser.allCases)
  func emptyResponsesAreJudged(_ optimiser: OnlineOptimiser) throws {
    let folder = try TemporaryFolder()
    // One token, all of them nearly alike in probability: now and then it is one that ends the turn.
    try runTiny(
      optimiser.yaml(
        world, judge: "{ensemble: ['\(world("reward"))', {rule: length-target, target: 1}]}",
        rounds: 2, prompts: 64, responses: 16, file: world.data("prompts.jsonl"),
        sampling: "max_new_tokens: 1, temperature: 100", plain(optimiser)), in: folder.url)
    let clipped = try folder.series("completions/clipped_ratio", optimiser.kind)
    let someEnded = clipped.contains { $0 < 1 }
    #expect(clipped.count == 2 && someEnded, "\(clipped)")
    let losses = try folder.series(
      optimiser == .ppo ? "loss/policy_avg" : "loss", optimiser.kind)
    let areFinite = losses.allSatisfy(\.isFinite)
    #expect(losses.count == 2 && areFinite, "\(losses)")
    try expectFiniteWeights(folder, optimiser)
  }

  /// Prompts that just fit are played, longer ones left out with a warning.
  @Test(arguments: OnlineOptimiser.allCases)
  func promptsAtTheLimitOfTheContextArePlayed(_ optimiser: OnlineOptimiser) throws {
    let (folder, run, warnings) = (try TemporaryFolder(), try TemporaryFolder(), Warnings())
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    var rows: [Int: String] = [:]
    for (count, end) in (1...120).flatMap({ count in ["?", "? ?", "a ?"].map { (count, $0) } }) {
      let text = String(repeating: "lamp ", count: count) + end
      rows[encoder.prompt([Message(role: "user", content: text)]).count] = text
    }
    // 128 positions, 8 new tokens, and the end marks that a judge reads.
    let limit = 128 - 8 - encoder.scored(prompt: [], response: "").response.count
    let lengths = (limit - 3)...(limit + 2)
    let texts = try lengths.map { try #require(rows[$0]) }
    let url = folder.url.appending(path: "edge.jsonl")
    try Data(texts.map { "{\"prompt\": \"\($0)\"}\n" }.joined().utf8).write(to: url)
    try runTiny(
      optimiser.yaml(
        world, judge: "'\(world("reward"))'", file: url.path, plain(optimiser)),
      in: run.url, observers: [warnings])
    let told = warnings.texts.count { $0.hasPrefix("2 prompts left out") }
    #expect(told == 1, "\(warnings.texts)")
    // The four that fit, with four responses each.
    let asked = try run.series("judge/responses", optimiser.kind)
    #expect(asked == [16])
    try expectFiniteWeights(run, optimiser)
  }

  private func expectFiniteWeights(
    _ folder: TemporaryFolder, _ optimiser: OnlineOptimiser,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let model = try CausalLM(directory: folder.url.appending(path: "stages/\(optimiser.kind)"))
    let areFinite = weights(model).allSatisfy(\.isFinite)
    #expect(areFinite, "a weight is not finite", sourceLocation: sourceLocation)
  }
}
