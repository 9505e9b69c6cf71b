import Foundation
import PlumbCheckpoints
import PlumbData
import PlumbModels
import PlumbRollouts
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// Recipes of one or two on-line stages on ``TinyWorld``.
enum GameRecipe {
  /// A recipe of one stage with settings beside policy, prompts and short responses.
  static func yaml(_ world: TinyWorld, _ kind: String, _ settings: String) -> String {
    recipe("\(kind): {policy: '\(world("sft"))', \(settings)}")
  }

  /// A recipe of some stages: every line of them is moved in under `stages`.
  static func recipe(_ stages: String) -> String {
    let lines = stages.split(separator: "\n", omittingEmptySubsequences: false)
    let body = lines.map { "  " + $0 }.joined(separator: "\n")
    return """
      name: game
      seed: 5
      threads: 2
      stages:
      \(body)

      """
  }

  /// The prompts and sampling of most tests.
  static func prompts(_ world: TinyWorld, _ tokens: Int = 10) -> String {
    "prompts: ['\(world.data("prompts.jsonl"))'], sampling: {max_new_tokens: \(tokens)}"
  }

  static let polite = "judge: {rule: regex, pattern: '^please'}"
}

/// GPO, SPPO, rejection sampling and labelling as stages of a recipe.
@Suite struct GameStageTests {
  private func mean(_ values: some Collection<Double>) -> Double {
    values.reduce(0, +) / Double(max(1, values.count))
  }

  /// A rule as judge: politeness, which half of the demonstrations have, becomes the habit.
  @Test(arguments: [
    ("gpo", "loss: gpo, beta: 0.2"), ("gpo", "loss: sppo, beta: 0.1"),
    ("gpo", "loss: gpo, train_on: best-worst, beta: 0.2, log_partition: estimated"),
    ("rejection-sampling", "batch_responses: 8"),
  ])
  func aRuleIsLearnt(_ kind: String, _ settings: String) throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    try runTiny(
      GameRecipe.yaml(
        world, kind,
        """
        \(settings), \(GameRecipe.polite), \(GameRecipe.prompts(world)), iterations: 10,
            prompts_per_iteration: 16, responses: 4,
            optimizer: {learning_rate: 0.002, schedule: constant}
        """), in: folder.url)
    let scores = try folder.series("objective/scores", kind)
    #expect(scores.count == 10)
    let (before, after) = (mean(scores.prefix(2)), mean(scores.suffix(2)))
    #expect(before < 0.75 && after > before + 0.15, "\(scores)")
    let kl = try folder.series("objective/kl", kind)
    #expect(abs(kl[0]) < 1e-6 && kl[kl.count - 1] > 0.05)
  }

  /// With a fixed reference the policy is tied to where it started; without, it may go on.
  @Test func aFixedReferenceHoldsThePolicy() throws {
    let world = try TinyWorld.shared()
    let divergences = try ["previous", "fixed"].map { reference in
      let folder = try TemporaryFolder()
      try runTiny(
        GameRecipe.yaml(
          world, "gpo",
          """
          reference: \(reference), beta: 0.5, \(GameRecipe.polite), \(GameRecipe.prompts(world)),
              iterations: 12, prompts_per_iteration: 16,
              optimizer: {learning_rate: 0.003, schedule: constant}
          """), in: folder.url)
      return mean(try folder.series("objective/kl", "gpo").suffix(3))
    }
    #expect(divergences[1] < divergences[0], "\(divergences)")
  }

  /// A general preference model gives scores when it is told to, and is refused where scores are needed.
  @Test func preferencesBecomeScores() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    try runTiny(
      GameRecipe.yaml(
        world, "rejection-sampling",
        """
        judge: {model: '\(world("preference"))', preference_reward: opponents},
            \(GameRecipe.prompts(world)), iterations: 2, prompts_per_iteration: 8
        """), in: folder.url)
    let scores = try folder.series("objective/scores", "rejection-sampling")
    // What one response is preferred by, another is preferred less: the mean over a prompt is 0.
    let sizes = scores.map(abs)
    #expect(scores.count == 2 && sizes.allSatisfy { $0 < 1e-5 }, "\(scores)")
    let kept = try folder.series("rejection/kept_score", "rejection-sampling")
    #expect(kept.count == 2 && kept.min() ?? 0 > 0.01, "\(kept)")

    var buffer = handBuffer([(["a", "b"], [[0, 1], [-1, 0]], nil)])
    do {
      try buffer.requireScores()
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("'preference_reward: opponents'"), "\(error)")
    }
    buffer.groups[0].responses[0].score = 1
    buffer.groups[0].responses[1].score = 2
    try buffer.requireScores()
  }

  /// Labels of any judge train reward models and DPO.
  @Test func labelsAreReadByOtherStages() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let yaml = GameRecipe.recipe(
      """
      labels: {kind: label-pairs, policy: '\(world("sft"))', max_rows: 80, responses: 4,
        judge: {ensemble: [{rule: regex, pattern: '^please'}, {rule: length-penalty, target: 20}], weights: [1, 0.01]},
        \(GameRecipe.prompts(world, 12))}
      dpo: {policy: '\(world("sft"))', pairs: [labels/pairs.jsonl.zst], max_length: 64, batch_pairs: 16}
      reward: {kind: reward-model, model: '\(world("pretrain"))', train: [labels/pairs.jsonl.zst],
        test: ['\(world("data/preferences.test.jsonl.zst"))'], max_length: 64, batch_pairs: 16, epochs: 6,
        optimizer: {learning_rate: 0.003}}
      """)
    let summary = try runTiny(yaml, in: folder.url)
    let rows = try DataFile.preferencePairs(
      folder.url.appending(path: "stages/labels/pairs.jsonl.zst")
    ).rows
    #expect(rows.count >= 30 && rows.count <= 80)
    #expect(Double(rows.count) == summary.figures["labels/pairs"]?.value)
    // The rule of the test data: what the labels taught is right about people's pairs too.
    let accuracy = try #require(summary.figures["reward/test_accuracy"])
    #expect(accuracy.value > 0.7, "\(accuracy)")
    #expect(folder.exists("stages/dpo/model.safetensors"))
  }

  @Test func pairsOfPeopleAreLabelledAgain() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    for (file, agreement) in [("pairs.jsonl", 1.0), ("swapped.jsonl", 0.0)] {
      let run = folder.url.appending(path: file)
      let summary = try runTiny(
        GameRecipe.yaml(
          world, "label-pairs",
          "pairs: ['\(world.data(file))'], max_rows: 20, rows_per_step: 8, \(GameRecipe.polite)"),
        in: run)
      let figure = try #require(summary.figures["label-pairs/agreement"])
      #expect(figure.value == agreement && figure.sampleSize == 20 && figure.interval != nil)
      let rows = try DataFile.preferencePairs(
        run.appending(path: "stages/label-pairs/pairs.jsonl.zst")
      ).rows
      let polite = rows.count { $0.chosen.hasPrefix("please") && !$0.rejected.hasPrefix("please") }
      #expect(polite == 20)
    }
  }

  /// The best of n as a contestant: better than its policy by the judge that chose, at a known price.
  @Test func theBestOfNIsCompared() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let yaml = GameRecipe.recipe(
      """
      compare:
        baseline: '\(world("sft"))'
        policies: ['\(world("dpo"))']
        best_of:
          - {name: best, policy: '\(world("sft"))', judge: {rule: regex, pattern: '^please'}, n: 4}
          - {policy: '\(world("dpo"))', judge: '\(world("preference"))', n: 2}
        judge: {rule: regex, pattern: '^please'}
        prompts: ['\(world("data/prompts.test.jsonl.zst"))']
        responses: 2
        winners_expected: 1
        sampling: {max_new_tokens: 12}
      """)
    let summary = try runTiny(yaml, in: folder.url)
    let name = world("sft")
    let rate = try #require(summary.figures["compare/best/win_rate_vs_\(name)"])
    #expect(rate.value > 0.6, "\(rate)")
    let bound = try #require(summary.figures["compare/best/best_of_n_kl_bound"])
    #expect(abs(bound.value - (log(4) - 0.75)) < 1e-12)
    let measured = try #require(summary.figures["compare/best/best_of_n_kl"])
    #expect(measured.value > 0.05 && measured.value < bound.value && measured.interval != nil)
    // Of the baseline's own best, the divergence from the baseline is all that choosing adds.
    let kl = try #require(summary.figures["compare/best/kl_from_\(name)"])
    #expect(abs(kl.value - measured.value) < 1e-4)
    let other = "best of 2 of \(world("dpo"))"
    let own = try #require(summary.figures["compare/\(other)/kl_from_\(name)"])
    let chosen = try #require(summary.figures["compare/\(other)/best_of_n_kl"])
    #expect(own.value != chosen.value)
    let lines = try jsonLines(folder.url.appending(path: "stages/compare/answers.jsonl.zst"))
    let answers = lines.filter { $0["policy"] as? String == "best" }
      .compactMap { $0["responses"] as? [String] }
    #expect(answers.count > 5 && answers.allSatisfy { $0.count == 2 })
    // Two answers to each prompt, each chosen among four samples.
    let judged = summary.figures["compare/best/judged_responses"]?.value
    #expect(judged == Double(answers.count * 2 * 4))
  }

  /// Two runs of a method are one claim, with the interval of the method.
  @Test func runsOfAMethodAreOneClaim() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    for (stage, seed) in [("ppo", 1), ("gpo", 2)] {
      try FileManager.default.copyItem(
        at: URL(filePath: world(stage)), to: folder.url.appending(path: "run-seed\(seed)"))
    }
    let method = folder.url.appending(path: "run").path
    let yaml = GameRecipe.recipe(
      """
      compare:
        baseline: '\(world("sft"))'
        policies: ['\(method)-seed1', '\(method)-seed2']
        judge: {rule: regex, pattern: '^please'}
        prompts: ['\(world("data/prompts.test.jsonl.zst"))']
        winners_expected: 1
        sampling: {max_new_tokens: 12}
      """)
    let summary = try runTiny(yaml, in: folder.url.appending(path: "compared"))
    let claims = summary.claims.filter { $0.name.contains("over seeds and prompts") }
    #expect(claims.map(\.name).map { $0.hasPrefix("\(method) beats ") } == [true])
    let rate = try #require(summary.figures["compare/\(method)/win_rate_vs_\(world("sft"))"])
    #expect(claims.map(\.measured) == [rate.interval?[0] ?? .nan])
    #expect(claims.map(\.interval) == [rate.interval])
    #expect(summary.claims.first { $0.name.hasPrefix("policies that beat") }?.measured ?? 2 <= 1)
  }

  /// Each of the answers to a prompt is chosen among samples of its own.
  @Test func theBestOfNChoosesEachAnswerAnew() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    let yaml = GameRecipe.recipe(
      """
      compare:
        baseline: '\(world("sft"))'
        best_of: [{name: best, policy: '\(world("sft"))', judge: {rule: regex, pattern: '^please'}, n: 2}]
        judge: {rule: regex, pattern: '^please'}
        prompts: ['\(world("data/prompts.test.jsonl.zst"))']
        responses: 2
        winners_expected: 0
        sampling: {max_new_tokens: 12}
      """)
    try runTiny(yaml, in: folder.url)
    let lines = try jsonLines(folder.url.appending(path: "stages/compare/answers.jsonl.zst"))
    func differing(_ policy: String) -> Int {
      lines.filter { $0["policy"] as? String == policy }
        .compactMap { $0["responses"] as? [String] }.count { $0[0] != $0[1] }
    }
    let (plain, best) = (differing(world("sft")), differing("best"))
    #expect(plain > 0 && best > 0, "\(plain), \(best)")
  }

  /// An exact match reads the answers that came with the prompts, from the file to the judge.
  @Test func knownAnswersReachTheJudge() throws {
    let (world, folder) = (try TinyWorld.shared(), try TemporaryFolder())
    // What the SFT model was taught, or could have been.
    var lines = ""
    for (index, task) in TinyData.tasks.prefix(40).enumerated() {
      let answer = TinyData.answer(index.isMultiple(of: 2) ? "please" : "just", task, index / 2)
      lines += "{\"prompt\": \"how do i \(task)?\", \"answer\": \"\(answer)\"}\n"
    }
    let url = folder.url.appending(path: "known.jsonl")
    try Data(lines.utf8).write(to: url)
    let yaml = { (prompts: String) in
      GameRecipe.recipe(
        """
        compare: {baseline: '\(world("sft"))', judge: {rule: exact-match}, prompts: ['\(prompts)'],
          best_of: [{name: best, policy: '\(world("sft"))', judge: {rule: exact-match}, n: 6}],
          responses: 2, winners_expected: 0, sampling: {max_new_tokens: 16, temperature: 0.7}}
        """)
    }
    let summary = try runTiny(yaml(url.path), in: folder.url.appending(path: "run"))
    let plain = try #require(summary.figures["compare/\(world("sft"))/judge_score"]).value
    let best = try #require(summary.figures["compare/best/judge_score"]).value
    #expect(plain < 1 && best > plain, "\(plain) \(best)")
    do {
      try runTiny(yaml(world.data("prompts.jsonl")), in: folder.url.appending(path: "none"))
      Issue.record("prompts without answers were not refused")
    } catch {
      #expect("\(error)".contains("expected a known answer with the prompt 'prompt-0'"), "\(error)")
    }
  }

  @Test(arguments: [
    ("keep: 4, responses: 4", "keep: expected an integer from 1 to 3, below responses, found 4"),
    ("responses: 1", "responses: expected an integer from 2"),
    ("judge: ''", "judge: expected a stage or a model folder"),
    ("min_score: 1e9", "min_score: expected a number"),
    ("micro_batch_tokens: 0", "micro_batch_tokens: expected an integer from 1"),
  ])
  func settingsThatCannotBeMeantAreRefused(_ settings: String, _ expected: String) throws {
    let world = try TinyWorld.shared()
    let judge = settings.hasPrefix("judge") ? "" : ", \(GameRecipe.polite)"
    do {
      _ = try StageRegistry.standard.loader.load(
        yaml: GameRecipe.yaml(world, "rejection-sampling", "prompts: [x], \(settings)\(judge)"))
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains(expected), "\(error)")
    }
  }

  @Test func labelsNeedPromptsOrPairs() throws {
    let world = try TinyWorld.shared()
    for (files, found) in [("", "neither"), ("prompts: [a], pairs: [b],", "both")] {
      do {
        _ = try StageRegistry.standard.loader.load(
          yaml: GameRecipe.yaml(world, "label-pairs", "\(files) \(GameRecipe.polite)"))
        Issue.record("nothing was refused")
      } catch {
        #expect(
          "\(error)".contains("files of prompts, or else of pairs, found \(found)"), "\(error)")
      }
    }
  }
}
