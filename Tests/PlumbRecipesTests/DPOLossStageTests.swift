import Foundation
import PlumbData
import PlumbModels
import PlumbObjectives
import PlumbRollouts
import PlumbTensors
import PlumbTestSupport
import PlumbTokenizers
import Testing

@testable import PlumbRecipes

/// The stage `dpo` with every loss and option.
@Suite struct DPOLossStageTests {
  let world: TinyWorld
  init() throws { world = try TinyWorld.shared() }

  /// What each loss must be told.
  static let needed: [PairLoss: String] = [
    .cdpo: "label_smoothing: 0.1", .robust: "label_smoothing: 0.1",
    .exo: "label_smoothing: 0.001", .discoPOP: "tau: 0.05", .simPO: "beta: 2, margin: 1",
    .orpo: "lambda: 0.1", .cpo: "sft_weight: 0.1",
  ]

  private func settings(_ loss: PairLoss, _ more: String = "") -> String {
    let needed = Self.needed[loss].map { ", \($0)" } ?? ""
    return "policy: '\(world("sft"))', pairs: ['\(world("data/preferences.train.jsonl.zst"))'], "
      + "max_length: 64, batch_pairs: 16, loss: \(loss.rawValue)\(needed)\(more)"
  }

  private func refusal(_ settings: String) throws -> String {
    do {
      _ = try TinyStage("dpo", settings)
    } catch {
      return "\(error)"
    }
    Issue.record("nothing was refused: \(settings)")
    return ""
  }

  @Test(arguments: PairLoss.allCases) func everyLossWidensTheMargin(_ loss: PairLoss) throws {
    let stage = try TinyStage(
      "dpo", settings(loss, ", optimizer: {learning_rate: 0.001}"))
    let margins = try stage.series("rewards/margins")
    #expect(try margins.allSatisfy(\.isFinite) && stage.series("loss").allSatisfy(\.isFinite))
    let ends = try StageLearningTests.ends(margins)
    if loss == .discoPOP {
      // At a margin of 0 its slope is -3/4 + (1 - ln 2) / (4 tau): with the paper's tau it first lowers
      // margins, into the local optimum that the paper shows.
      let losses = try StageLearningTests.ends(stage.series("loss"))
      #expect(losses.last < losses.first - 0.01 && ends.last < ends.first)
    } else {
      #expect(ends.last > ends.first + 0.01, "\(margins)")
    }
    // A reference is computed where the loss reads one, and only there.
    let said = stage.messages.notes.contains { $0.contains("reference log-probabilities") }
    #expect(said == loss.usesReference)
    let cache = stage.folder.url.appending(path: "reference-logprobs")
    #expect(FileManager.default.fileExists(atPath: cache.path) == loss.usesReference)
  }

  @Test func optionsThatTheLossDoesNotReadAreRefused() throws {
    for (loss, option, words) in [
      ("ipo", "label_smoothing: 0.1", ["label_smoothing", "'ipo'", "cdpo", "found 0.1"]),
      ("sigmoid", "label_smoothing: 0.1", ["label_smoothing", "'sigmoid'", "read by", "'robust'"]),
      ("sigmoid", "margin: 0.5", ["margin", "'simpo' only"]),
      ("hinge", "tau: 0.05", ["tau", "'discopop' only"]),
      ("nca", "lambda: 0.1", ["lambda", "'orpo' only"]),
      ("orpo", "lambda: 0.1, beta: 0.2", ["beta", "'orpo'", "0.1 with"]),
      ("simpo", "margin: 1, length_normalize: true", ["length_normalize", "reads no reference"]),
      ("simpo", "margin: 1, reference_cache: here", ["reference_cache", "reads no reference"]),
      ("orpo", "lambda: 0.1, references: [x]", ["references", "reads no reference"]),
      ("simpo", "margin: 1, anchor_weight: 1", ["anchor_weight", "reads no reference"]),
      ("ipo", "anchor_tokens: 8", ["anchor_tokens", "64 where anchor_weight is 0"]),
      ("ipo", "reference_weights: [1, 2]", ["reference_weights", "0 references", "found 2"]),
      ("cdpo", "beta: 0.1", ["label_smoothing", "'cdpo'", "such as 0.1"]),
      ("robust", "beta: 0.1", ["label_smoothing", "'robust'"]),
      ("exo", "beta: 0.1", ["label_smoothing", "0.001"]),
      ("discopop", "beta: 0.1", ["tau", "0.05"]),
      ("simpo", "beta: 2", ["margin", "beta 2 to 2.5"]),
      ("orpo", "beta: 0.1", ["lambda", "such as 0.1"]),
      ("cpo", "beta: 0.1", ["sft_weight", "1 in the paper"]),
      ("dpo", "beta: 0.1", ["loss", "'sigmoid', 'cdpo'", "'dpo'"]),
      ("sigmoid", "beta: 0", ["beta", "found 0"]),
      ("cdpo", "label_smoothing: 0.5", ["label_smoothing", "0 to 0.499"]),
      ("sigmoid", "sft_weight: -1", ["sft_weight", "found -1"]),
      ("sigmoid", "extra_losses: {dpo: 1}", ["extra_losses", "some of cdpo", "found dpo"]),
      ("sigmoid", "extra_losses: {sigmoid: 1}", ["extra_losses", "found sigmoid"]),
      ("sigmoid", "extra_losses: {nca: 0}", ["extra_losses.nca", "above 0"]),
      ("sigmoid", "extra_losses: {exo: 1}", ["label_smoothing", "'exo'"]),
    ] {
      let text = try refusal(
        "policy: '\(world("sft"))', pairs: ['\(world.data("pairs.jsonl"))'], loss: \(loss), \(option)"
      )
      for word in words {
        #expect(text.contains(word), "\(loss), \(option): '\(word)' in: \(text)")
      }
    }
  }

  /// Equivalence classes: packing off (one pair at a time), prompts computed for each response.
  @Test(arguments: [PairLoss.sigmoid, .aot, .orpo])
  func packingAndPromptSharingDoNotChangeTheTrajectory(_ loss: PairLoss) throws {
    let more = ", epochs: 0.7, optimizer: {learning_rate: 0.0005}"
    let usual = try TinyStage("dpo", settings(loss, more))
    for change in ["micro_batch_tokens=1", "share_prompts=false"] {
      let other = try TinyStage("dpo", settings(loss, more), overrides: ["dpo.\(change)"])
      #expect(
        try usual.folder.text("metrics.jsonl") != other.folder.text("metrics.jsonl"), "\(change)")
      for name in ["loss", "grad_norm", "rewards/margins", "logps/chosen"] {
        let (a, b) = (try usual.series(name), try other.series(name))
        let gaps = zip(a, b).map { abs($0 - $1) / max(1, abs($0)) }
        let largest = gaps.max() ?? 1
        let mean = gaps.reduce(0, +) / Double(max(1, gaps.count))
        #expect(a.count == b.count && a.count > 4)
        #expect(largest < 1e-3 && mean < 3e-4, "\(change), \(name): \(largest), \(mean)")
      }
    }
  }

  @Test func severalLossesAndAnSFTTerm() throws {
    let stage = try TinyStage(
      "dpo", settings(.sigmoid, ", extra_losses: {nca: 0.5, aot: 0.2}, sft_weight: 0.3"))
    let names = ["loss", "loss/sigmoid", "loss/nca", "loss/aot", "nll_loss"]
    let values = try names.map { try stage.series($0) }
    for step in values[0].indices {
      let sum =
        values[1][step] + 0.5 * values[2][step] + 0.2 * values[3][step] + 0.3 * values[4][step]
      expectClose(values[0][step], sum, absolute: 1e-4)
    }
    // The same run without the term does not hold the chosen answers up as well.
    let bare = try TinyStage("dpo", settings(.sigmoid, ", optimizer: {learning_rate: 0.001}"))
    let held = try TinyStage(
      "dpo", settings(.sigmoid, ", sft_weight: 2, optimizer: {learning_rate: 0.001}"))
    #expect(
      try #require(held.series("rewards/chosen").last)
        > (try #require(bare.series("rewards/chosen").last)))
  }

  /// All pairs in one batch, whose first value is known before any step.
  private func first(_ more: String, _ name: String = "loss") throws -> Double {
    let stage = try TinyStage(
      "dpo",
      "policy: '\(world("sft"))', pairs: ['\(world("data/preferences.judge.jsonl.zst"))'], "
        + "max_length: 64, batch_pairs: 1000, epochs: 1\(more)")
    return try #require(try stage.series(name).first)
  }

  /// The pairs of that batch, with sums by plain forward passes.
  private func sums(_ model: String) throws -> [(
    chosen: Float, rejected: Float, lengths: (Int, Int)
  )] {
    let folder = URL(filePath: world(model))
    let (model, encoder) = (
      try CausalLM(directory: folder), try ConversationEncoder.load(from: folder)
    )
    let rows = try DataFile.preferencePairs(
      URL(filePath: world("data/preferences.judge.jsonl.zst"))
    ).rows
    return try rows.map { row in
      let prompt = encoder.prompt(row.prompt).map(Int32.init)
      let (chosen, rejected) = (
        encoder.response(row.chosen).map(Int32.init), encoder.response(row.rejected).map(Int32.init)
      )
      return (
        try TinyPairs.sum(prompt, chosen, model), try TinyPairs.sum(prompt, rejected, model),
        (chosen.count, rejected.count)
      )
    }
  }

  @Test func severalReferencesAreMergedWithTheirWeights() throws {
    let (policy, base) = (try sums("sft"), try sums("pretrain"))
    func merged(_ a: Float, _ b: Float, _ weights: (Double, Double)) -> Double {
      -log(weights.0 * exp(-Double(a)) + weights.1 * exp(-Double(b)))
    }
    func expected(_ weights: (Double, Double)) -> Double {
      let losses = zip(policy, base).map { own, other in
        let chosen = Double(own.chosen) - merged(own.chosen, other.chosen, weights)
        let rejected = Double(own.rejected) - merged(own.rejected, other.rejected, weights)
        return log(1 + exp(-0.5 * (chosen - rejected)))
      }
      return losses.reduce(0, +) / Double(losses.count)
    }
    let references = ", beta: 0.5, references: ['\(world("sft"))', '\(world("pretrain"))']"
    let equal = try first(references)
    expectClose(equal, expected((0.5, 0.5)), absolute: 1e-4)
    let weighted = try first(references + ", reference_weights: [1, 3]")
    expectClose(weighted, expected((0.25, 0.75)), absolute: 1e-4)
    #expect(abs(equal - weighted) > 1e-4 && abs(equal - log(2)) > 1e-3)
    // One reference that is not the policy itself, and the policy named as its own reference.
    let other = try first(", beta: 0.5, references: ['\(world("pretrain"))']")
    expectClose(other, expected((0, 1)), absolute: 1e-4)
    expectClose(try first(", references: ['\(world("sft"))']"), log(2), absolute: 1e-5)
  }

  @Test func aReferenceWithAnotherTokenizerIsRefused() throws {
    let folder = try TemporaryFolder()
    let other = try StageRefusalTests().otherModel(folder)
    let text = try refusal(
      "policy: '\(world("sft"))', pairs: ['\(world.data("pairs.jsonl"))'], max_length: 64, "
        + "references: ['\(world("sft"))', '\(other)']")
    #expect(text.contains("do not share one tokenizer and template"), "\(text)")
  }

  @Test func lengthNormalisationDividesByTokens() throws {
    let (policy, base) = (try sums("sft"), try sums("pretrain"))
    let losses = zip(policy, base).map { own, other in
      let chosen = Double(own.chosen - other.chosen) / Double(own.lengths.0)
      let rejected = Double(own.rejected - other.rejected) / Double(own.lengths.1)
      return log(1 + exp(-5 * (chosen - rejected)))
    }
    let found = try first(
      ", beta: 5, length_normalize: true, references: ['\(world("pretrain"))']")
    expectClose(found, losses.reduce(0, +) / Double(losses.count), absolute: 1e-4)
    let lengths = try first("", "lengths/chosen")
    expectClose(lengths, Double(policy.reduce(0) { $0 + $1.lengths.0 }) / Double(policy.count))
  }

  /// BAPO: the policy keeps the probability of the reference's own answers.
  @Test func anchoringHoldsTheReferencesOwnAnswers() throws {
    func last(_ weight: Double) throws -> (distance: Double, stage: TinyStage) {
      let stage = try TinyStage(
        "dpo",
        settings(
          .sigmoid,
          ", anchor_weight: \(weight), anchor_tokens: 12, optimizer: {learning_rate: 0.002}"))
      return (try #require(try stage.series("anchor/distance").last), stage)
    }
    let (loose, tight) = (try last(1e-6), try last(0.5))
    expectClose(try #require(try tight.stage.series("anchor/distance").first), 0, absolute: 1e-4)
    #expect(loose.distance > 2 * tight.distance, "\(loose.distance), \(tight.distance)")
    #expect(try #require(tight.stage.series("rewards/margins").last) > 0.05)
    let notes = tight.stage.messages.notes
    #expect(notes.contains { $0.contains("answers of") }, "\(notes)")
    // Kept are the log-probabilities of pairs and answers, and the answers to twice 64 prompts at most.
    #expect(
      RunFiles.names(in: tight.stage.folder.url.appending(path: "reference-logprobs")).count == 4)
    // The losses say what they are made of.
    let (loss, distance) = (
      try tight.stage.series("loss"), try tight.stage.series("anchor/distance")
    )
    let plain = try TinyStage("dpo", settings(.sigmoid, ", optimizer: {learning_rate: 0.002}"))
    expectClose(loss[0], try plain.series("loss")[0] + 0.5 * distance[0], absolute: 1e-4)
  }

  @Test func validationKeepsTheBestWeights() throws {
    let swapped = "validation: ['\(world.data("swapped.jsonl"))']"
    let stage = try TinyStage(
      "dpo", settings(.sigmoid, ", \(swapped), validations: 100, optimizer: {learning_rate: 0.002}")
    )
    let losses = try stage.series("eval_loss")
    let accuracies = try stage.series("eval_rewards/accuracies")
    // Pairs that say the opposite: every step makes it worse, so the first weights are kept.
    #expect(try #require(losses.last) > losses[0] && accuracies.count == losses.count)
    let figures = try #require(
      try RunFiles.read(
        json: StageRecord.self,
        from: stage.folder.url.appending(path: "stages/dpo/\(RunLayout.stageRecordName)"))
    ).result.figures
    let best = try #require(losses.indices.min { losses[$0] < losses[$1] })
    #expect(figures["best_step"]?.value == Double(best + 1))
    #expect(figures["validation_loss"]?.value == losses[best])
    let accuracy = try #require(figures["validation_accuracy"])
    #expect(accuracy.value == accuracies[best] && accuracy.sampleSize == 20)
    let interval = try #require(accuracy.interval)
    #expect(interval[0] <= accuracy.value && accuracy.value <= interval[1])
    // The weights that were kept give that loss again.
    let again = try TinyStage(
      "dpo",
      "policy: '\(stage.folder.url.appending(path: "stages/dpo").path)', "
        + "references: ['\(world("sft"))'], pairs: ['\(world.data("swapped.jsonl"))'], "
        + "max_length: 64, batch_pairs: 100")
    expectClose(try #require(again.series("loss").first), losses[best], absolute: 1e-4)
  }
}

/// What users of other toolkits complain about, where it concerns pairs.
@Suite struct DPOComplaintTests {
  let world: TinyWorld
  init() throws { world = try TinyWorld.shared() }

  /// trl#800, #2371; OpenRLHF#1054; LLaMA-Factory#6153: chosen log-probabilities fall, nobody is told.
  @Test("Complaint 14, trl#800: a run whose chosen answers fall is warned about")
  func aRunWhoseChosenAnswersFallIsWarnedAbout() throws {
    // Chosen and rejected differ in their last words only: what lowers one lowers the other.
    let rows = TinyData.tasks.prefix(120).enumerated().map { index, task in
      PreferencePair(
        id: "\(index)", source: "tiny", prompt: TinyData.prompt(task),
        chosen: "zx\(index % 7) qv\(index % 5) \(task) kk", rejected: "just \(task) today")
    }
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "odd.jsonl")
    try DataFile.write(rows, to: file)
    func run(_ more: String) throws -> TinyStage {
      try TinyStage(
        "dpo",
        "policy: '\(world("sft"))', pairs: ['\(file.path)'], max_length: 96, batch_pairs: 8, "
          + "epochs: 2, loss: apo-down, optimizer: {learning_rate: 0.001}\(more)")
    }
    // APO-down lowers chosen answers by design, so the fall is sure.
    let falling = try run("")
    let rewards = try falling.series("rewards/chosen")
    #expect(try #require(rewards.last) < -0.05, "\(rewards)")
    let told = falling.messages.warnings.filter { $0.contains("becoming less likely") }
    #expect(told.count == 1, "\(falling.messages.warnings)")
    #expect(told.first?.contains("sft_weight") == true)
    let held = try run(", sft_weight: 5")
    #expect(!held.messages.warnings.contains { $0.contains("becoming less likely") })
  }

  /// eric-mitchell/direct-preference-optimization#8: an accuracy of 0 at the first step.
  ///
  /// It is no fault: policy and reference are one, rewards are 0 up to rounding, the loss is ln 2.
  @Test("Complaint 14, trl#800: the first step of DPO has no margin")
  func theFirstStepHasNoMargin() throws {
    let stage = try TinyStage(
      "dpo",
      "policy: '\(world("sft"))', pairs: ['\(world("data/preferences.judge.jsonl.zst"))'], "
        + "max_length: 64")
    expectClose(try #require(stage.series("loss").first), log(2), absolute: 1e-4)
    for name in ["rewards/chosen", "rewards/rejected", "rewards/margins"] {
      expectClose(try #require(stage.series(name).first), 0, absolute: 1e-4, name)
    }
  }

  /// trl#5213, #6105, #2209; axolotl#1616: joins of prompt and response, truncation, a second BOS.
  @Test("Complaint 16, trl#5213: prompt and response are joined as they are generated")
  func promptAndResponseAreJoinedAsTheyAreGenerated() throws {
    let folder = URL(filePath: world("sft"))
    let tokenizer = try ConversationEncoder.load(from: folder).tokenizer
    for template in ChatTemplate.allCases {
      let encoder = try ConversationEncoder(tokenizer: tokenizer, template: template)
      let texts = ["please", " please", "\nplease", "\n\n", "é👍", "<|im_end|>", "a", "  "]
      let rows = texts.enumerated().map { index, text in
        PreferencePair(
          id: "\(index)", source: "tiny", prompt: TinyData.prompt("open the door "), chosen: text,
          rejected: "\(text)\(text)x")
      }
      let (buffer, dropped) = RolloutBuffer.pairs(rows, encoder: encoder, origin: "test")
      #expect(dropped == 0)
      let prompt = encoder.prompt(TinyData.prompt("open the door ")).map(Int32.init)
      for (pair, text) in zip(try buffer.bestAndWorst(), texts) {
        let found = PolicyPair(pair, of: buffer)
        // One prompt for both, whatever the answer begins with: no token spans the join.
        #expect(found.prompt == prompt, "\(template), '\(text)'")
        #expect(found.chosen == encoder.response(text).map(Int32.init))
        #expect(encoder.decodeResponse(found.chosen.map(Int.init)) == text)
        // The end of the turn is learnt, once, and no marker stands where none was generated.
        let end = try #require(encoder.response("").last)
        #expect(found.chosen.last == Int32(end) && found.chosen.count { $0 == Int32(end) } == 1)
        let batch = PackedBatch([found.group])
        #expect(batch.targets == found.chosen + found.rejected)
        #expect(Array(batch.tokens.prefix(prompt.count)) == prompt)
      }
    }
  }

  /// Long pairs are left out whole and counted: a cut would take the end that a policy must learn.
  @Test("Complaint 16, trl#5213: long pairs are left out, not cut")
  func longPairsAreLeftOutNotCut() throws {
    let encoder = try ConversationEncoder.load(from: URL(filePath: world("sft")))
    let lengths = TinyData.pairs.map { pair in
      let longest = max(encoder.response(pair.chosen).count, encoder.response(pair.rejected).count)
      return encoder.prompt(pair.prompt).count + longest
    }
    let limit = try #require(lengths.max()) - 1
    let long = lengths.count { $0 > limit }
    let stage = try TinyStage(
      "dpo",
      "policy: '\(world("sft"))', pairs: ['\(world.data("pairs.jsonl"))'], max_length: \(limit), "
        + "batch_pairs: 400, epochs: 0.01")
    let note = try #require(
      stage.messages.notes.first { $0.contains("are longer than \(limit) tokens and left out") })
    #expect(long > 0 && note.hasPrefix("\(long) of \(TinyData.pairs.count) pairs"), "\(note)")
  }

  /// All answers equal: nothing to learn, and the run says so.
  @Test func identicalAnswersAreRefused() throws {
    let folder = try TemporaryFolder()
    let file = folder.url.appending(path: "same.jsonl")
    try Data(#"{"prompt": "how?", "chosen": "so", "rejected": "so"}"#.utf8).write(to: file)
    do {
      _ = try TinyStage("dpo", "policy: '\(world("sft"))', pairs: ['\(file.path)'], max_length: 64")
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("same.jsonl"), "\(error)")
    }
  }

  /// A reference that gives no numbers stops the run before it trains.
  @Test func aReferenceOfNaNIsRefused() throws {
    let folder = try TemporaryFolder()
    var model = try CausalLM(directory: URL(filePath: world("sft")))
    let entry = try #require(model.parameters.layout.entries.first)
    let id = try #require(model.parameters.layout.id(named: entry.name))
    model.parameters.assign(model.parameters.values(of: id).map { _ in .nan }, to: id)
    let broken = folder.url.appending(path: "broken")
    try model.write(
      to: broken, encoder: try ConversationEncoder.load(from: URL(filePath: world("sft"))))
    do {
      _ = try TinyStage(
        "dpo",
        "policy: '\(world("sft"))', references: ['\(broken.path)'], "
          + "pairs: ['\(world.data("pairs.jsonl"))'], max_length: 64")
      Issue.record("nothing was refused")
    } catch {
      #expect("\(error)".contains("under the reference") && "\(error)".contains("NaN"), "\(error)")
    }
  }
}
