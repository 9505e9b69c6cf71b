import Foundation
import Testing

@testable import PlumbRecipes

/// What the metric table promises of a stage, some run of it writes.
///
/// `MetricTableTests` has the other direction. The kinds whose settings do not make the same of a small world
/// (grids, mixtures, suites) are left to their own tests.
@Suite struct MetricCoverageTests {
  /// Kinds that no run here has, and that write metrics.
  private static let elsewhere: Set = [
    "cyclic", "more", "max-min", "preference-scaling", "preference-finetune", "reward-probe",
    "truth-bandit", "truth-tokens", "truth-games",
  ]

  /// Metrics of a setting that no run here has, whose tests are elsewhere.
  private static let special: [String: [String]] = [
    // language_coefficient, learn_tau, loss: regression
    "general-preference": ["language_loss", "tau", "error"]
  ]

  /// Policies with every setting on that writes a metric of its own.
  private func yaml(_ world: TinyWorld) -> String {
    let prompts = """
      prompts: ['\(world("data/prompts.test.jsonl.zst"))'], watch: {held_out: '\(world("judge"))'},
          sampling: {max_new_tokens: 8, temperature: 1.5}, policy: '\(world("sft"))'
      """
    let reward = "'\(world("reward"))'"
    let gradient = """
      reward: \(reward), updates: 1, prompts_per_update: 4, responses_per_prompt: 4, kl_in: loss,
          entropy_coefficient: 0.01, \(prompts)
      """
    let guarded = "ratio_threshold: 100, clip: 0.2, \(gradient)"
    let rounds = """
      judge: \(reward), iterations: 1, prompts_per_iteration: 4, responses: 4, \(prompts)
      """
    let rows = "policy: '\(world("sft"))', max_length: 64"
    let train = "['\(world("data/preferences.test.jsonl.zst"))']"
    let validation = "validation: ['\(world("data/preferences.validation.jsonl.zst"))']"
    return """
      name: coverage
      seed: 5
      threads: 2
      stages:
        ppo: {value_model: separate, \(guarded)}
        grpo: {\(guarded)}
        grpo-plain: {kind: grpo, clip: 0, \(gradient)}
        rloo: {\(guarded)}
        rloo-plain: {kind: rloo, clip: 0, \(gradient)}
        reinforce: {\(guarded)}
        reinforce-plain: {kind: reinforce, clip: 0, \(gradient)}
        gpo: {\(rounds)}
        sppo: {kind: gpo, loss: sppo, \(rounds)}
        rejection: {kind: rejection-sampling, \(rounds)}
        online:
          {kind: online-dpo, judge: \(reward), updates: 1, prompts_per_update: 4, responses: 4,
          extra_losses: {ipo: 0.5}, sft_weight: 0.1, anchor_weight: 0.1, anchor_tokens: 8, \(prompts)}
        dpo:
          {pairs: \(train), \(validation), extra_losses: {ipo: 0.5}, sft_weight: 0.1,
          anchor_weight: 0.1, anchor_tokens: 8, batch_pairs: 16, \(rows)}
        kto: {rows: \(train), batch_rows: 16, \(rows)}
        label-pairs:
          {policy: '\(world("sft"))', judge: \(reward), max_rows: 8,
          prompts: ['\(world("data/prompts.test.jsonl.zst"))'], sampling: {max_new_tokens: 8}}
        pairs:
          {kind: pair-preference, model: '\(world("pretrain"))', max_length: 96, batch_pairs: 16,
          train: \(train)}

      """
  }

  /// The names of entries by the kind of the stage that wrote them.
  private func written(_ directory: URL, _ summary: RunSummary) throws -> [String: Set<String>] {
    let kinds = Dictionary(uniqueKeysWithValues: summary.stages.map { ($0.name, $0.kind) })
    var result: [String: Set<String>] = [:]
    for line in try MetricsLog.lines(of: directory.appending(path: "metrics.jsonl")) {
      let names = line.values.keys.compactMap { MetricTable.entry(named: $0)?.name }
      result[kinds[line.stage] ?? "", default: []].formUnion(names)
    }
    return result
  }

  @Test func everyEntryIsWrittenByTheStagesThatItNames() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let summary = try runTiny(yaml(world), in: folder.url)
    let found = try written(folder.url, summary)
      .merging(written(world.directory, world.summary)) { $0.union($1) }
    var held = 0
    for entry in MetricTable.entries {
      for kind in entry.stages where !Self.elsewhere.contains(kind) {
        guard Self.special[kind]?.contains(entry.name) != true else { continue }
        held += 1
        let isWritten = found[kind]?.contains(entry.name) == true
        #expect(isWritten, "no run of \(kind) writes '\(entry.name)'")
      }
    }
    #expect(held > 200, "\(held)")
    // Nor do these runs write what the table gives to other stages.
    for (kind, names) in found {
      for name in names {
        let stages = MetricTable.entry(named: name)?.stages ?? []
        #expect(stages.contains(kind), "\(kind) writes '\(name)'")
      }
    }
  }
}
