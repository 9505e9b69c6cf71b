import Foundation
import PlumbRollouts
import PlumbTestSupport
import PlumbTokenizers

@testable import PlumbRecipes

struct WatchedConfiguration: StageConfiguration {
  static let kind = "watched"
  var updates = 12
  var story = WatchedStory.calm
  var watch = WatchConfiguration()

  init() {}
}

/// How the rollouts of a watched stage go wrong.
enum WatchedStory: String, Codable, CaseIterable, Sendable {
  /// Nothing happens.
  case calm
  /// From round 5 on, each round is longer.
  case longer
  /// From round 5 to 8, six of eight responses are cut.
  case cut
  /// From round 5 on, half of the responses say one word.
  case looping
  /// From round 5 on, all responses are the same text.
  case alike
  /// The KL grows by 8 nats a round.
  case drifting
  /// From round 5 on, the policy is sure of every token.
  case sure
  /// The KL is a little below 0 in every round.
  case negative
  /// The KL is below 0 in some rounds, by chance.
  case chance

  /// The rollouts of a round: 4 prompts, 2 responses each, 10 tokens unless the story says otherwise.
  func rollouts(_ update: Int) -> RolloutBuffer {
    let late = update >= 5
    let length = self == .longer && late ? 10 + 4 * (update - 4) : 10
    let groups = (0..<4).map { prompt in
      let responses = (0..<2).map { number -> Rollout in
        let row = 2 * prompt + number
        let tokens = (0..<length).map { place -> Int32 in
          if self == .alike, late { return Int32(place) }
          if self == .looping, late, row % 2 == 0 { return 7 }
          return Int32(1000 * row + 37 * update + place)
        }
        let isCut = self == .cut && (5...8).contains(update) && row > 1
        let logprob: Float = self == .sure && late ? -0.1 : -2
        var response = Rollout(
          tokens: tokens, text: "answer \(row) of round \(update)",
          finishReason: isCut ? .length : .stop,
          behaviourLogprobs: [Float](repeating: logprob, count: length))
        // The sum over the tokens; rows differ, so that the mean has an error.
        let spread = Float(row % 2 == 0 ? 0.2 : -0.2)
        let divergence: Float =
          switch self {
          case .drifting: 8 * Float(update) + spread
          case .negative: -0.3 + spread
          case .chance: (update % 2 == 0 ? -0.1 : 0.1) + spread
          default: 0.1 + spread
          }
        response.referenceLogprobs = [Float](
          repeating: logprob - divergence / Float(length), count: length)
        response.score = Float(row) / 4 + Float(update) / 16
        return response
      }
      return RolloutGroup(
        id: "prompt-\(prompt)", prompt: [Message(role: "user", content: "question \(prompt)?")],
        promptTokens: [1, 2, 3], responses: responses,
        preferenceLogits: [[0, -0.25], [0.25, 0]], judge: "story")
    }
    return RolloutBuffer(
      groups: groups, provenance: .init(source: .sampled, origin: "story", step: update))
  }
}

/// An on-line stage without models: its rollouts are a story, and the watch looks at them.
struct WatchedStage: Stage {
  let configuration: WatchedConfiguration
  var inputs: [String] { configuration.watch.inputs }

  /// An encoder with a real tokenizer.
  static func encoder() throws -> ConversationEncoder {
    try ConversationEncoder(
      tokenizer: Tokenizer(contentsOf: Fixtures.url("golden/tokenizers/qwen2_style.json")),
      template: .chatML)
  }

  func plan(_ context: PlanContext) throws -> StagePlan { StagePlan("a story") }

  func run(_ context: StageContext) throws -> StageResult {
    var watch = try RolloutWatch(
      configuration.watch, updates: configuration.updates, responses: 2, context: context,
      encoder: try Self.encoder())
    let first = try context.resume { try watch.load(from: $0) }
    for update in first..<configuration.updates + 1 {
      let metrics = try watch.observe(configuration.story.rollouts(update), update: update)
      try context.finishStep(
        update, of: configuration.updates, metrics: metrics, checkpointEvery: 5
      ) { try watch.save(to: $0) }
      try watch.stopIfAlarmed(after: update) {
        try watch.save(to: $0)
      } artifacts: {
        try Data("policy of update \(update)".utf8).write(
          to: context.directory.appending(path: "policy"))
      }
    }
    try Data("done".utf8).write(to: context.directory.appending(path: "policy"))
    return StageResult(sections: watch.sections)
  }
}

/// Runs a watched stage and collects what it warned of.
final class WatchedRun: RunObserver {
  private(set) var warnings: [String] = []

  func receive(_ event: RunEvent) {
    if case .warning(_, let message) = event { warnings.append(message) }
  }

  /// The monitors that rang, with their rounds.
  var alarms: [String] {
    warnings.compactMap { text in
      text.firstMatch(of: #/^update (\d+): (.*?) is /#).map { "\($0.1): \($0.2)" }
    }
  }

  @discardableResult
  func run(
    _ settings: String, in folder: URL, mode: Runner.Mode = .refusing,
    interrupted: @escaping () -> Bool = { false }
  ) throws -> RunSummary {
    let registry = StageRegistry([WatchedStage.self])
    let yaml = "name: watch\nseed: 1\nthreads: 2\nstages:\n  story: {kind: watched, \(settings)}\n"
    return try Runner(
      try registry.loader.load(yaml: yaml), registry: registry, directory: folder, mode: mode,
      observers: [self], interrupted: interrupted
    ).run()
  }
}
