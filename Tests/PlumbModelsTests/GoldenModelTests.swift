import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// The tiny checkpoints against PyTorch and transformers (`golden/README.md`).
@Suite struct GoldenModelTests {
  @Test(arguments: GoldenCase.names)
  func logitsAndHiddenStates(name: String) throws {
    let golden = try GoldenCase(name)
    let hidden = golden.model.hiddenStates(tokens: golden.tokens, layout: golden.layout)
    expectClose(
      hidden.scalars, try golden.packed("final_hidden"), absolute: 2e-4, relative: 0,
      "final hidden")
    let logits = golden.model.logits(tokens: golden.tokens, layout: golden.layout)
    expectClose(
      logits.scalars, try golden.packed("logits"), absolute: 2e-4, relative: 0, "logits")
  }

  @Test(arguments: GoldenCase.names)
  func lossAndGradients(name: String) throws {
    let golden = try GoldenCase(name)
    let (rows, targets) = golden.predictions
    let logprobs = golden.model.logprobs(
      tokens: golden.tokens, layout: golden.layout, rows: rows, targets: targets
    ).logprobs
    expectClose(
      logprobs.scalars, try golden.packed("token_logprobs", shift: 1), absolute: 2e-4, relative: 0,
      "log-probs")
    let loss = -logprobs.mean()
    expectClose(
      loss.item, try golden.expected.floats(named: "loss")[0], absolute: 2e-4, relative: 0, "loss")

    var gradients = GradientBlock(for: golden.model.parameters)
    gradients.accumulate(loss)
    let layout = golden.model.parameters.layout
    let stored = golden.expected.names.filter { $0.hasPrefix("grad.") }
    #expect(stored.count == layout.entries.count)
    for name in stored {
      let id = try #require(layout.id(named: String(name.dropFirst("grad.".count))), "\(name)")
      let error = gradientError(
        gradients[id].scalars, try golden.expected.floats(named: name), noise: 1e-4)
      #expect(error < 1e-3, "\(name): relative error \(error)")
    }
  }

  @Test(arguments: GoldenCase.names)
  func greedyContinuationByCache(name: String) throws {
    let golden = try GoldenCase(name)
    let expected = try golden.expected.integers(named: "greedy_continuation").map(Int32.init)
    let prompt = Array(expected.prefix(5))
    #expect(prompt == Array(golden.rows[0].prefix(5)))
    let found = try greedy(golden.model, prompt, count: expected.count - prompt.count)
    #expect(prompt + found == expected)
  }

  @Test(arguments: GoldenCase.names)
  func greedyContinuationByFullForward(name: String) throws {
    let golden = try GoldenCase(name)
    let expected = try golden.expected.integers(named: "greedy_continuation").map(Int32.init)
    var tokens = Array(expected.prefix(5))
    var model = golden.model
    model.parameters.isFrozen = true
    while tokens.count < expected.count {
      let logits = model.logits(tokens: tokens, layout: PackedLayout(lengths: [tokens.count]))
      tokens.append(largest(logits.rows(at: [tokens.count - 1])))
    }
    #expect(tokens == expected)
  }

  /// The trunk under a reward model's architecture loads by its own names; the head is left to others.
  @Test func rewardModelTrunk() throws {
    let folder = try ModelFolder(GoldenCase.root.appending(path: "worldpm"))
    #expect(folder.architecture == "Qwen2ForRewardModel")
    var layout = ParameterLayout()
    _ = Decoder(folder.configuration, declaringIn: &layout, outputHead: false)
    let head: Set = ["score.0.weight", "score.0.bias", "score.2.weight", "score.2.bias"]
    let parameters = try folder.load(layout, ignoring: head)
    #expect(parameters.allFinite())
    let error = #expect(throws: ModelError.self) { try folder.load(layout) }
    #expect(error?.description.contains("score.2.weight") == true)
    #expect(throws: ModelError.self) { try CausalLM(folder) }
  }
}

/// The index of the largest of one row of logits.
func largest(_ logits: Tensor, row: Int = 0) -> Int32 {
  let width = logits.shape[1]
  let scalars = logits.scalars[row * width..<(row + 1) * width]
  let best = scalars.indices.max { scalars[$0] < scalars[$1] } ?? scalars.startIndex
  return Int32(best - scalars.startIndex)
}

/// Decodes the likeliest tokens through the cache.
func greedy(_ model: CausalLM, _ prompt: [Int32], count: Int) throws -> [Int32] {
  var state = DecodingState(model)
  var logits = try state.append(prompts: [prompt])
  var tokens: [Int32] = []
  while true {
    tokens.append(largest(logits))
    if tokens.count == count { return tokens }
    logits = state.step(tokens: [tokens[tokens.count - 1]])
  }
}
