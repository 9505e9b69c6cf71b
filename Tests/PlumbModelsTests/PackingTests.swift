import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Sequences packed together, and responses that share a prompt, give what each gives alone.
@Suite struct PackingTests {
  @Test(arguments: ModelFamily.allCases)
  func packedEqualsSeparate(family: ModelFamily) {
    let model = Tiny.model(family)
    let rows = [7, 1, 12, 4].map { Tiny.tokens($0) }
    let packed = model.logits(
      tokens: rows.flatMap { $0 }, layout: PackedLayout(lengths: rows.map(\.count)))
    let separate = rows.flatMap {
      model.logits(tokens: $0, layout: PackedLayout(lengths: [$0.count])).scalars
    }
    expectClose(packed.scalars, separate, absolute: 1e-5, relative: 1e-5)
  }

  @Test(arguments: ModelFamily.allCases)
  func sharedPromptEqualsRepeatedPrompt(family: ModelFamily) {
    let model = Tiny.model(family)
    let prompts = [Tiny.tokens(6), Tiny.tokens(3)]
    let responses = [[Tiny.tokens(5), Tiny.tokens(2), Tiny.tokens(8)], [Tiny.tokens(4)]]

    var shared = Packing()
    var repeated = Packing()
    for (prompt, answers) in zip(prompts, responses) {
      shared.appendGroup(prompt, answers)
      for answer in answers { repeated.appendGroup(prompt + answer, [], from: prompt.count) }
    }
    let first = shared.gradients(
      model, PackedLayout(groups: zip(prompts, responses).map { ($0.count, $1.map(\.count)) }))
    let second = repeated.gradients(model, PackedLayout(lengths: repeated.lengths))
    expectClose(first.logprobs, second.logprobs, absolute: 1e-5, relative: 1e-5, "log-probs")
    for entry in model.parameters.layout.entries {
      guard let id = model.parameters.layout.id(named: entry.name) else { continue }
      let error = gradientError(
        first.block[id].scalars, second.block[id].scalars, noise: 1e-3)
      #expect(error < 1e-4, "\(entry.name): relative error \(error)")
    }
  }

  /// Recomputing every layer changes no bit of the loss or of any gradient.
  @Test(arguments: ModelFamily.allCases)
  func checkpointedLayersEqualKeptOnes(family: ModelFamily) {
    var model = Tiny.model(family)
    let lengths = [7, 1, 12]
    var packing = Packing()
    for length in lengths where length > 1 {
      packing.appendGroup(Tiny.tokens(length), [], from: 1)
    }
    let layout = PackedLayout(lengths: packing.lengths)
    let kept = packing.gradients(model, layout)
    model.checkpointsLayers = true
    let recomputed = packing.gradients(model, layout)
    #expect(kept.logprobs == recomputed.logprobs)
    for entry in model.parameters.layout.entries {
      guard let id = model.parameters.layout.id(named: entry.name) else { continue }
      #expect(kept.block[id].scalars == recomputed.block[id].scalars, "\(entry.name)")
    }
  }
}

/// Tokens laid end to end, and which of them a loss predicts from where.
private struct Packing {
  var tokens: [Int32] = []
  var lengths: [Int] = []
  var rows: [Int] = []
  var targets: [Int32] = []

  /// A prompt and its answers; without answers, the tokens after `from` are the answer.
  mutating func appendGroup(_ prompt: [Int32], _ answers: [[Int32]], from: Int = 0) {
    let start = tokens.count
    tokens += prompt
    lengths.append(prompt.count)
    if answers.isEmpty {
      rows += start + from - 1..<start + prompt.count - 1
      targets += prompt[from...]
    }
    for answer in answers {
      rows.append(start + prompt.count - 1)
      rows += tokens.count..<tokens.count + answer.count - 1
      targets += answer
      tokens += answer
    }
  }

  func gradients(_ model: CausalLM, _ layout: PackedLayout) -> (
    logprobs: [Float], block: GradientBlock
  ) {
    let logprobs = model.logprobs(tokens: tokens, layout: layout, rows: rows, targets: targets)
      .logprobs
    var block = GradientBlock(for: model.parameters)
    block.accumulate(-logprobs.mean())
    return (logprobs.scalars, block)
  }
}
