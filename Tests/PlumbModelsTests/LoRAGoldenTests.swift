import Foundation
import PlumbCheckpoints
import PlumbModels
import PlumbTensors
import PlumbTestSupport
import Testing

/// Adapters that peft made, against what peft and PyTorch compute with them (`golden/lora`).
@Suite struct LoRAGoldenTests {
  struct Case {
    let golden: GoldenCase
    let model: CausalLM
    let expected: SafetensorsFile

    init(_ name: String) throws {
      golden = try GoldenCase(name)
      model = try CausalLM(directory: Fixtures.url("golden/lora/\(name)"))
      expected = try SafetensorsFile(
        contentsOf: Fixtures.url("golden/lora/\(name)/expected.safetensors"))
    }

    /// The mean negative log-likelihood over all predictions.
    func loss(_ model: CausalLM) -> Tensor {
      let (rows, targets) = golden.predictions
      return -model.logprobs(
        tokens: golden.tokens, layout: golden.layout, rows: rows, targets: targets
      ).logprobs.mean()
    }
  }

  static let names = ["qwen2", "gpt2"]

  @Test(arguments: names) func logitsAndLoss(name: String) throws {
    let test = try Case(name)
    let row = test.golden.rows[0]
    let logits = test.model.logits(tokens: row, layout: PackedLayout(lengths: [row.count]))
    expectClose(
      logits.scalars, try test.expected.floats(named: "logits.row0"), absolute: 2e-4, relative: 0)
    expectClose(
      test.loss(test.model).item, try test.expected.floats(named: "loss")[0], absolute: 1e-5,
      relative: 0)
    // The base answers otherwise, so that the adapter is seen to act.
    #expect(abs(test.loss(test.model).item - test.loss(test.golden.model).item) > 0.01)
  }

  @Test(arguments: names) func gradientsAndOneStep(name: String) throws {
    let test = try Case(name)
    let adapter = try #require(test.model.adapter)
    let layout = adapter.parameters.layout
    var gradients = GradientBlock(for: test.model.parameters.trainable)
    gradients.accumulate(test.loss(test.model))
    #expect(test.expected.names.count { $0.hasPrefix("grad.") } == layout.entries.count)
    for entry in layout.entries {
      let id = try #require(layout.id(named: entry.name))
      let error = gradientError(
        gradients[id].scalars, try test.expected.floats(named: "grad.\(entry.name)"), noise: 1e-4)
      #expect(error < 1e-3, "\(entry.name): relative error \(error)")
    }
    var moments = AdamWMoments(for: test.model.parameters.trainable)
    var model = test.model
    model.parameters.withTrainable {
      $0.adamW(
        gradients, &moments, step: 1, learningRate: 1e-2, beta1: 0.9, beta2: 0.95, epsilon: 1e-8,
        weightDecay: 0.1, gradientScale: 1)
    }
    for entry in layout.entries {
      let id = try #require(layout.id(named: entry.name))
      expectClose(
        model.parameters.trainable.values(of: id),
        try test.expected.floats(named: "after.\(entry.name)"), absolute: 2e-4, relative: 0,
        entry.name)
    }
  }

  @Test(arguments: names) func mergedWeights(name: String) throws {
    let test = try Case(name)
    let merged = test.model.merged
    #expect(merged.adapter == nil)
    let prefix = "merged."
    let stored = try #require(test.expected.names.first { $0.hasPrefix(prefix) })
    let id = try #require(
      merged.parameters.layout.id(named: String(stored.dropFirst(prefix.count))))
    expectClose(
      merged.parameters.values(of: id), try test.expected.floats(named: stored), absolute: 1e-6,
      relative: 1e-6)
    expectClose(
      test.loss(merged).item, try test.expected.floats(named: "loss")[0], absolute: 1e-5,
      relative: 0)
  }
}
